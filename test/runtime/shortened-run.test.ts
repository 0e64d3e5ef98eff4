/** Contexts that are kept small, in a whole runtime: what is asked, what the journal says, what survives. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { RunView } from '../../src/runtime/views.ts';
import {
  type Answer,
  lastText,
  sayWhole,
  startEndpointServer,
} from '../inference/endpoint-server.ts';
import { deskTexts, makeDesk, openRuntime, runToEnd, testFolder } from './running.ts';

const pages = 26;
const pins = ['Name the ticket T-17 in the answer.', { text: 'Answer in German.', words: ['ist'] }];
const planted = 'Name the ticket T-17 in the answer.\n\nAnswer in German.';

/** The agent reads page after page of a file system until it answers. */
function makePages() {
  const folder = testFolder();
  const [input, workspace] = [join(folder, 'input'), join(folder, 'workspace')];
  mkdirSync(input);
  mkdirSync(workspace);
  writeFileSync(join(input, 'm.txt'), 'Where is the bicycle?');
  for (let page = 0; page < pages; page += 1) {
    const text = `This is page ${page} of the book, on ${page * 7} things. `.repeat(8);
    writeFileSync(join(workspace, `page-${page}.txt`), text);
  }
  const pipeline = {
    name: 'pages',
    input: { workspace },
    agents: {
      reader: {
        system: 'You read pages.',
        prompt: 'Find: {{document.text}}',
        pins,
        tools: ['read'],
        turns: 40,
        output: { type: 'object' },
        context: { budget: { characters: 700 }, keep: { lastTurns: 1 } },
        supervise: { forgetting: true },
      },
    },
    tools: {
      read: {
        actuator: 'file',
        operation: 'read',
        parameters: ['path'],
        arguments: { path: '{{path}}' },
        result: '{{result.text}}',
      },
    },
    steps: [{ id: 'find', agent: 'reader', map: 'documents' }],
  };
  return {
    dataDirectory: join(folder, 'data'),
    request: { pipeline: pipeline as unknown as JsonObject, input: { folder: input }, seed: 3 },
  };
}

/** Reads the page behind the last one that it was told, and answers after the last. */
const reading: Answer = (response, { body }) => {
  const told = lastText(body);
  const page = /This is page (\d+)/.exec(told)?.[1];
  const next = page === undefined ? 0 : Number(page) + 1;
  const call = { tool: 'read', args: { path: `page-${next}.txt` } };
  const answer = { tool: 'none', answer: 'T-17: Es ist im Keller.' };
  sayWhole(response, JSON.stringify(next < pages ? call : answer));
};

async function serve(answer: Answer = reading) {
  const server = await startEndpointServer(answer);
  onTestFinished(() => server.close());
  return { ...server, settings: { model: { baseUrl: server.baseUrl, name: 'm' } } };
}

function opened(dataDirectory: string) {
  const journal = openReadOnly(dataDirectory);
  onTestFinished(() => journal.close());
  return journal;
}

async function expectEqual(dataDirectory: string, { id, events }: RunView): Promise<void> {
  const journal = opened(dataDirectory);
  expect(await journal.replay(id)).toMatchObject({ equal: true, events });
  expect(await journal.replay(id, 'xstate')).toMatchObject({ equal: true, events });
}

describe('a context that is kept small', () => {
  test('holds the planted objectives in every question, through more than 20 shortenings', async () => {
    const server = await serve();
    const { dataDirectory, request } = makePages();
    const runtime = await openRuntime(dataDirectory, server.settings);
    const run = await runToEnd(runtime, request);
    expect(run).toMatchObject({
      status: 'succeeded',
      progress: { handedToHuman: 0 },
      usage: { generations: pages + 1, toolCalls: pages, interventions: 0 },
    });
    const prompts = server.calls.map(({ body }) => body.messages);
    for (const [turn, messages] of prompts.entries()) {
      expect(messages[0]).toEqual({ role: 'system', content: `You read pages.\n\n${planted}` });
      expect(messages[1]?.content).toBe('Find: Where is the bicycle?');
      const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
      expect(characters).toBeLessThan(900);
      if (turn > 0) expect(messages.at(-1)?.content).toContain(`This is page ${turn - 1} of`);
    }
    const journal = opened(dataDirectory);
    const contexts = journal.contexts(run.id);
    const anew = contexts.slice(1).filter(({ parent }) => parent === null);
    expect(anew.length).toBeGreaterThanOrEqual(20);
    for (const [turn, { hash }] of contexts.entries()) {
      expect(journal.transcript(run.id, hash).messages).toEqual(prompts[turn]);
    }
    await expectEqual(dataDirectory, run);
  });

  test('is shown with its pins, its size, and what has left it and why', async () => {
    const server = await serve();
    const { dataDirectory, request } = makePages();
    const runtime = await openRuntime(dataDirectory, server.settings);
    const run = await runToEnd(runtime, request);
    const contexts = runtime.contexts(run.id);
    const [first, second, third] = contexts;
    const actor = first?.actor ?? '';
    const begin = runtime.window(run.id, { at: first?.sequence ?? 0 });
    expect(begin).toMatchObject({ actor, previous: null, budget: null, left: [], promptTokens: 5 });
    expect(begin.items.map(({ role, pinned }) => [role, pinned])).toEqual([
      ['system', false],
      ['system', true],
      ['system', true],
      ['user', false],
    ]);
    // The call and its result were added; the event between them belongs to the first question.
    expect(runtime.window(run.id, { at: (second?.sequence ?? 0) - 1 })).toEqual(begin);
    const grown = runtime.window(run.id, { at: second?.sequence ?? 0 });
    expect(grown.items.map(({ role, tool }) => tool ?? role).slice(4)).toEqual([
      'assistant',
      'read',
    ]);
    expect(grown).toMatchObject({ previous: first?.sequence, left: [], budget: null });
    const cut = runtime.window(run.id, { at: third?.sequence ?? 0, actor });
    expect(cut).toMatchObject({
      previous: second?.sequence,
      budget: 700,
      left: [
        { role: 'assistant', pinned: false, relevance: expect.any(Number) },
        { role: 'tool', tool: 'read', content: expect.stringContaining('page 0') },
      ],
    });
    expect(cut.items.filter(({ pinned }) => pinned)).toHaveLength(2);
    const sum = cut.items.reduce((total, { characters }) => total + characters, 0);
    expect(cut.characters).toBe(sum);
    // Without a place it is the last one; what nobody asked is not found.
    expect(runtime.window(run.id, {}).sequence).toBe(contexts.at(-1)?.sequence);
    expect(opened(dataDirectory).window(run.id, { actor, at: run.events })).toEqual(
      runtime.window(run.id, {}),
    );
    for (const wrong of [{ at: 1 }, { actor: 'run' }, { actor: 'nobody' }]) {
      expect(() => runtime.window(run.id, wrong)).toThrow(
        expect.objectContaining({ code: 'CONTEXT_NOT_FOUND' }),
      );
    }
  });

  test('goes on after a restart and in a fork as it would have', async () => {
    let holdAt = 12;
    const asked: string[] = [];
    const server = await serve((response, call) => {
      const prompt = JSON.stringify(call.body.messages);
      asked.push(prompt);
      if (!prompt.includes(`This is page ${holdAt} `)) return reading(response, call);
    });
    const { dataDirectory, request } = makePages();
    const before = await openRuntime(dataDirectory, server.settings);
    const { id } = await before.startRun(request);
    await expect.poll(() => server.calls.length, { timeout: 30_000 }).toBe(holdAt + 2);
    await before.stop();
    holdAt = -1;
    const after = await openRuntime(dataDirectory, server.settings);
    const run = await after.ended(id);
    // Asked once more, from the journal alone, with the very same context.
    expect(asked[14]).toBe(asked[13]);
    expect(run).toMatchObject({ status: 'succeeded', usage: { generations: pages + 1 } });
    const undisturbed = await serve();
    const again = makePages();
    const other = await openRuntime(again.dataDirectory, undisturbed.settings);
    const whole = await runToEnd(other, again.request);
    expect(run.resultHash).toBe(whole.resultHash);
    expect(asked.toSpliced(14, 1)).toEqual(
      undisturbed.calls.map(({ body }) => JSON.stringify(body.messages)),
    );
    const fork = await after.fork(id, { at: Math.floor(run.events / 2) });
    expect(await after.ended(fork.id)).toMatchObject({ resultHash: run.resultHash });
    await expectEqual(dataDirectory, run);
    await expectEqual(dataDirectory, after.run(fork.id));
  });
});

describe('with the embedded model', () => {
  const pinned = 'Only add the two numbers of the request.';

  async function addsUpTo(turns: number, more: JsonObject) {
    const desk = makeDesk(deskTexts(1));
    const { adder, ...others } = desk.request.pipeline.agents as Record<string, JsonObject>;
    const agents = { ...others, adder: { ...adder, turns, pins: [pinned], ...more } };
    const pipeline = { ...desk.request.pipeline, agents };
    const runtime = await openRuntime(desk.dataDirectory);
    const run = await runToEnd(runtime, { ...desk.request, pipeline: pipeline as JsonObject });
    return { runtime, run, dataDirectory: desk.dataDirectory };
  }

  test('a conversation of 12 turns is asked on a small context each time', async () => {
    const budget = { characters: 400 };
    const { runtime, run, dataDirectory } = await addsUpTo(12, {
      context: { budget, keep: { lastTurns: 2 } },
    });
    const contexts = runtime.contexts(run.id);
    expect(contexts).toHaveLength(12);
    expect(contexts.filter(({ parent }) => parent === null).length).toBeGreaterThan(2);
    const sizes = contexts.map(({ sequence }) => {
      const { items, characters, promptTokens } = runtime.window(run.id, { at: sequence });
      expect(items.filter((item) => item.pinned).map(({ content }) => content)).toEqual([pinned]);
      expect(promptTokens).toBeGreaterThan(0);
      return characters;
    });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(budget.characters);
    await expectEqual(dataDirectory, run);
  }, 60_000);

  test('a model that repeats its call is stopped by a rule before it makes it', async () => {
    const { runtime, run, dataDirectory } = await addsUpTo(12, {
      supervise: { retries: 0, toolLoop: 2, rules: [{ when: 'tool-loop', do: 'human' }] },
    });
    expect(run).toMatchObject({ status: 'succeeded', progress: { handedToHuman: 1 } });
    const [found, ...more] = runtime.interventions(run.id);
    expect(more).toEqual([]);
    expect(found).toMatchObject({
      did: 'human',
      findings: [
        {
          source: 'tool-loop',
          evidence: 'The tool calc is called with the same arguments 2 times in a row.',
        },
      ],
    });
    // The second call was not made.
    expect(runtime.contexts(run.id)).toHaveLength(2);
    expect(run.usage.toolCalls).toBe(2);
    await expectEqual(dataDirectory, run);
  }, 60_000);
});
