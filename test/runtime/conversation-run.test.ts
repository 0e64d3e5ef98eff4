/** Agents with turns in a whole runtime: a real server plays the model, files and scripts are real. */

import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { exportRun, importRun } from '../../src/runtime/run-archive.ts';
import {
  type Answer,
  answerJson,
  sayWhole,
  startEndpointServer,
  textOf,
} from '../inference/endpoint-server.ts';
import { contentOf } from '../journal/journal-fixture.ts';
import { expectedPrompts, longText, makeSearch, script } from './conversations.ts';
import { rewriteJournal } from './rewritten-journal.ts';
import { openRuntime, runToEnd, testFolder } from './running.ts';

async function serve(answer: Answer) {
  const server = await startEndpointServer(answer);
  onTestFinished(() => server.close());
  return server;
}

type Server = Awaited<ReturnType<typeof serve>>;

/** Says what the script says at the turn that the prompt has come to. */
const byScript: Answer = (response, { body }) => {
  const turn = body.messages.filter(({ role }) => role === 'assistant').length;
  sayWhole(response, script[turn] ?? 'off script');
};

function prompts({ calls }: Server): string[][] {
  return calls.map(({ body }) => body.messages.map(textOf));
}

function reading(dataDirectory: string) {
  const readOnly = openReadOnly(dataDirectory);
  onTestFinished(() => readOnly.close());
  return readOnly;
}

describe('a conversation', () => {
  test('goes on until the answer; every context comes back from the journal as it was asked', async () => {
    const server = await serve(byScript);
    const { dataDirectory, request } = makeSearch(['the sum']);
    const runtime = await openRuntime(dataDirectory, {
      model: { baseUrl: server.baseUrl, name: 'm' },
    });
    const run = await runToEnd(runtime, request);
    expect(run).toMatchObject({
      status: 'succeeded',
      progress: { handedToHuman: 0 },
      usage: { generations: 4, toolCalls: 3 },
    });
    expect(prompts(server)).toEqual(expectedPrompts('the sum'));

    const journal = reading(dataDirectory);
    expect(await journal.replay(run.id)).toMatchObject({ equal: true, events: run.events });
    const contexts = journal.contexts(run.id);
    expect(contexts.map(({ items }) => items)).toEqual([2, 2, 2, 2]);
    expect(contexts.map(({ parent }) => parent)).toEqual([
      null,
      ...contexts.slice(0, -1).map(({ hash }) => hash),
    ]);
    contexts.forEach(({ hash }, turn) => {
      const { messages } = journal.transcript(run.id, hash.slice(0, 16));
      expect(messages).toEqual(server.calls[turn]?.body.messages);
    });
    expect(runtime.contexts(run.id)).toEqual(contexts);
    expect(() => journal.transcript(run.id, 'f'.repeat(64))).toThrow(
      expect.objectContaining({ code: 'CONTEXT_NOT_FOUND' }),
    );
  });

  test('stores each text once, and nodes that do not grow', async () => {
    const server = await serve(byScript);
    const { dataDirectory, request } = makeSearch(['the sum']);
    const runtime = await openRuntime(dataDirectory, {
      model: { baseUrl: server.baseUrl, name: 'm' },
    });
    await runToEnd(runtime, request);
    await runtime.stop();
    const reader = JournalReader.open(dataDirectory);
    onTestFinished(() => reader.close());
    const texts = reader
      .advance()
      .filter(({ type }) => type === 'blob')
      .map((record) => contentOf(record, reader.keys).toString('utf8'));
    const nodes = texts.filter((text) => text.startsWith('{"items":'));
    expect(nodes).toHaveLength(4);
    for (const node of nodes) expect(node.length).toBeLessThan(400);
    // The outcome of the reading and the context share it.
    expect(texts.filter((text) => text.includes('line 17 of notes'))).toEqual([longText]);
  });

  test('whose actors sleep meanwhile goes on in whichever host the answer reaches', async () => {
    const waiting: (() => void)[] = [];
    const server = await serve((response, call) => {
      if (call.body.messages.length === 4) waiting.push(() => void byScript(response, call));
      else void byScript(response, call);
    });
    const { dataDirectory, request } = makeSearch(['the sum']);
    const runtime = await openRuntime(dataDirectory, {
      hosts: 3,
      model: { baseUrl: server.baseUrl, name: 'm' },
    });
    const { id } = await runtime.startRun(request);
    const follower = new JournalFollower(dataDirectory);
    onTestFinished(() => follower.close());
    const asleep = (): number => {
      follower.advance();
      const actors = [...(follower.index.get(id as RunId)?.actors.values() ?? [])];
      return actors.filter(({ snapshot }) => snapshot !== null).length;
    };
    await expect.poll(asleep, { timeout: 30_000, interval: 100 }).toBeGreaterThanOrEqual(4);
    for (const say of waiting) say();
    const run = await runtime.ended(id);
    expect(run.status).toBe('succeeded');
    expect(prompts(server)).toEqual(expectedPrompts('the sum'));
    expect(await reading(dataDirectory).replay(id)).toMatchObject({ equal: true });
  });

  test('that is interrupted is asked again with the whole context, from the journal alone', async () => {
    let answering = 2;
    const server = await serve((response, call) => {
      if (call.body.messages.filter(({ role }) => role === 'assistant').length < answering) {
        void byScript(response, call);
      }
    });
    const { dataDirectory, request } = makeSearch(['the sum']);
    const settings = { model: { baseUrl: server.baseUrl, name: 'm' } };
    const before = await openRuntime(dataDirectory, settings);
    const { id } = await before.startRun(request);
    await expect.poll(() => server.calls.length, { timeout: 20_000 }).toBe(3);
    await before.stop();
    answering = script.length;
    const after = await openRuntime(dataDirectory, settings);
    const run = await after.ended(id);
    expect(run.status).toBe('succeeded');
    const [first, second, third, fourth] = expectedPrompts('the sum');
    expect(prompts(server)).toEqual([first, second, third, third, fourth]);
    expect(await reading(dataDirectory).replay(id)).toMatchObject({ equal: true });
  });

  test('whose model fails for a moment asks that turn again, and no other', async () => {
    let asked = 0;
    const server = await serve((response, call) => {
      asked += 1;
      if (asked === 3) answerJson(response, 503, { error: { message: 'overloaded' } });
      else void byScript(response, call);
    });
    const { dataDirectory, request } = makeSearch(['the sum']);
    const runtime = await openRuntime(dataDirectory, {
      model: { baseUrl: server.baseUrl, name: 'm' },
    });
    const run = await runToEnd(runtime, request);
    expect(run).toMatchObject({ status: 'succeeded', usage: { generations: 4, toolCalls: 3 } });
    const [first, second, third, fourth] = expectedPrompts('the sum');
    expect(prompts(server)).toEqual([first, second, third, third, fourth]);
    expect(await reading(dataDirectory).replay(run.id)).toMatchObject({ equal: true });
  });

  test('whose answer is doubted is repeated on the same context with the prompt of a retry', async () => {
    let asked = 0;
    const server = await serve((response, call) => {
      asked += 1;
      if (asked === 2) sayWhole(response, 'no JSON');
      else void byScript(response, call);
    });
    const { dataDirectory, request } = makeSearch(['the sum']);
    const runtime = await openRuntime(dataDirectory, {
      model: { baseUrl: server.baseUrl, name: 'm' },
    });
    const run = await runToEnd(runtime, request);
    expect(run).toMatchObject({ status: 'succeeded', usage: { interventions: 1 } });
    const [first, second, third] = expectedPrompts('the sum') as [string[], string[], string[]];
    const grounded = [...second.slice(0, -1), `${second.at(-1)}\n\nOnce more: the sum`];
    expect(prompts(server).slice(0, 3)).toEqual([first, second, grounded]);
    expect(prompts(server)[3]).toEqual([...grounded, ...third.slice(grounded.length)]);
    expect(await reading(dataDirectory).replay(run.id)).toMatchObject({ equal: true });
  });
});

describe('a finished conversation', () => {
  async function recorded() {
    const server = await serve(byScript);
    const { dataDirectory, request } = makeSearch(['the sum']);
    const runtime = await openRuntime(dataDirectory, {
      model: { baseUrl: server.baseUrl, name: 'm' },
    });
    const run = await runToEnd(runtime, request);
    await runtime.stop();
    return { dataDirectory, run };
  }

  test('is carried to another data directory with its contexts', async () => {
    const { dataDirectory, run } = await recorded();
    const [archive, other] = [join(testFolder(), 'run.claw'), join(testFolder(), 'data')];
    exportRun(dataDirectory, run.id, archive);
    openDataDirectory(other, 0).release();
    importRun(other, archive);
    const [here, there] = [reading(dataDirectory), reading(other)];
    const contexts = there.contexts(run.id).map(({ hash }) => hash);
    expect(contexts).toHaveLength(4);
    for (const hash of contexts) {
      const { messages } = there.transcript(run.id, hash);
      expect(messages).toEqual(here.transcript(run.id, hash).messages);
    }
    expect(await there.replay(run.id)).toMatchObject({ equal: true });
  });

  test('whose journal names another context, or none, diverges at that event', async () => {
    const { dataDirectory, run } = await recorded();
    const [, second, third] = reading(dataDirectory).contexts(run.id);
    if (second === undefined || third === undefined) throw new Error('there are contexts');
    for (const node of [{ $blob: second.hash }, undefined]) {
      const other = join(testFolder(), 'data');
      openDataDirectory(other, 0).release();
      let contexts = 0;
      rewriteJournal(dataDirectory, other, (body) => {
        if (body.context === undefined) return;
        contexts += 1;
        if (contexts !== 3) return;
        if (node === undefined) delete body.context;
        else body.context = { node, texts: [] };
      });
      expect(await reading(other).replay(run.id)).toMatchObject({
        equal: false,
        divergence: {
          sequence: third.sequence,
          difference: 'The context is another.',
          actual: expect.stringContaining(second.hash),
        },
      });
    }
  });

  test('is forked in the middle: the fork has the contexts before, and goes on from them', async () => {
    const server = await serve(byScript);
    const { dataDirectory, request } = makeSearch(['the sum']);
    const runtime = await openRuntime(dataDirectory, {
      model: { baseUrl: server.baseUrl, name: 'm' },
    });
    const parent = await runToEnd(runtime, request);
    const asked = runtime.contexts(parent.id);
    const [first, second, third] = asked;
    if (first === undefined || second === undefined || third === undefined) {
      throw new Error('there are contexts');
    }
    const expected = expectedPrompts('the sum');
    const fork = async (at: number, set: JsonObject = {}) => {
      const before = server.calls.length;
      const run = await runtime.ended((await runtime.fork(parent.id, { at, set })).id);
      expect(run.status).toBe('succeeded');
      expect(await reading(dataDirectory).replay(run.id)).toMatchObject({ equal: true });
      const heads = runtime.contexts(run.id).map(({ hash }) => hash);
      return { heads, prompts: prompts(server).slice(before), calls: server.calls.slice(before) };
    };
    const hashes = asked.map(({ hash }) => hash);
    // The question in flight has its answer from the parent; only the last turn is asked anew.
    const same = await fork(third.sequence);
    expect(same).toMatchObject({ heads: hashes, prompts: [expected[3]] });
    // Another temperature asks the question in flight again, on its context.
    const warmer = await fork(second.sequence, { temperature: 0.5 });
    expect(warmer).toMatchObject({ heads: hashes, prompts: expected.slice(1) });
    expect(warmer.calls[0]?.body.temperature).toBe(0.5);
    // Another prompt begins another conversation, where it has only begun.
    const other = await fork(first.sequence, { prompt: 'Other: {{document.text}}' });
    expect(other.prompts.map((prompt) => prompt[1])).toEqual(Array(4).fill('Other: the sum'));
    expect(other.heads).toHaveLength(5);
    expect(other.heads.slice(1).filter((hash) => hashes.includes(hash))).toEqual([]);
  });
});
