/** One agent goes on where another has ended: by the whole conversation, or by what matters of it. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { pipelineDefinitionSchema } from '../../src/actors/pipeline-definition.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { findPipelineProblems } from '../../src/runtime/pipeline-rules.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import {
  type Answer,
  sayWhole,
  startEndpointServer,
  textOf,
} from '../inference/endpoint-server.ts';
import { openRuntime, runToEnd, testFolder } from './running.ts';

const document = 'The lift in Bonn is repaired on 3 May. It costs €640. The roof leaks.';
const tools = {
  calc: {
    actuator: 'sandbox',
    operation: 'run',
    parameters: ['a'],
    arguments: { source: '{{a}} * 2' },
  },
};

function pipeline(handoff: object, agents: { reader?: object; writer?: object } = {}): JsonObject {
  const definition = {
    name: 'handoff',
    agents: {
      reader: {
        role: 'Reads letters.',
        system: 'You read letters.',
        pins: ['Name the cost.'],
        prompt: 'Read: {{document.text}}',
        tools: ['calc'],
        turns: 3,
        output: { type: 'object' },
        ...agents.reader,
      },
      writer: {
        system: 'You write replies.',
        prompt: 'Reply about the lift.',
        tools: ['calc'],
        turns: 3,
        output: { type: 'object' },
        supervise: { retries: 1, grounding: 'Once more: reply.' },
        ...agents.writer,
      },
    },
    tools,
    steps: [
      { id: 'read', agent: 'reader', map: 'documents' },
      { id: 'reply', agent: 'writer', map: 'documents', needs: ['read'], handoff },
    ],
  };
  // Settings that are taken away are undefined above.
  return JSON.parse(JSON.stringify(definition)) as JsonObject;
}

function desk(definition: JsonObject) {
  const folder = testFolder();
  const input = join(folder, 'input');
  mkdirSync(input);
  writeFileSync(join(input, 'letter.txt'), document);
  return {
    dataDirectory: join(folder, 'data'),
    request: { pipeline: definition, input: { folder: input }, seed: 3 },
  };
}

const call = '{"tool":"calc","args":{"a":320}}';
const read = '{"tool":"none","cost":"€640 for the lift in Bonn"}';
const reply = '{"tool":"none","reply":"It is repaired on 3 May."}';

/** The reader calls a tool and answers; the writer answers, in the second try if `doubtful`. */
async function serve(doubtful = false) {
  let replies = 0;
  const answer: Answer = (response, { body }) => {
    const last = textOf(body.messages.at(-1) as never);
    if (last.startsWith('Read:')) sayWhole(response, call);
    else if (last.startsWith('Result of calc')) sayWhole(response, read);
    else {
      replies += 1;
      sayWhole(response, doubtful && replies === 1 ? 'no JSON' : reply);
    }
  };
  const server = await startEndpointServer(answer);
  onTestFinished(() => server.close());
  return server;
}

async function prompts(definition: JsonObject, doubtful = false): Promise<[string, string][][]> {
  const server = await serve(doubtful);
  const { dataDirectory, request } = desk(definition);
  const settings = { model: { baseUrl: server.baseUrl, name: 'm' } };
  const runtime = await openRuntime(dataDirectory, settings);
  const run = await runToEnd(runtime, request);
  expect(run).toMatchObject({ status: 'succeeded', progress: { handedToHuman: 0 } });
  await runtime.stop();
  const journal = openReadOnly(dataDirectory);
  onTestFinished(() => journal.close());
  expect(await journal.replay(run.id)).toMatchObject({ equal: true });
  return server.calls.map(({ body }) => body.messages.map((each) => [each.role, textOf(each)]));
}

const whole: [string, string][] = [
  ['system', 'You read letters.\n\nName the cost.'],
  ['user', `Read: ${document}`],
  ['assistant', call],
  ['user', 'Result of calc:\n640'],
  ['assistant', read],
];

describe('a conversation that goes on', () => {
  test('begins with all that was said, word for word, and ends equal in a replay', async () => {
    const asked = await prompts(pipeline({ from: 'read', as: 'context' }));
    expect(asked).toHaveLength(3);
    expect(asked[2]).toEqual([...whole, ['user', 'You write replies.\n\nReply about the lift.']]);
  });

  test('has the repetition of a doubted answer on top of the same', async () => {
    const asked = await prompts(pipeline({ from: 'read' }), true);
    expect(asked[3]).toEqual([
      ...whole,
      ['user', 'You write replies.\n\nReply about the lift.\n\nOnce more: reply.'],
    ]);
  });

  test('is read by the model from where it was, not again', async () => {
    const agents = { reader: { output: undefined }, writer: { output: undefined } };
    const { dataDirectory, request } = desk(pipeline({ from: 'read' }, agents));
    const runtime = await openRuntime(dataDirectory, { deterministic: false });
    const run = await runToEnd(runtime, request);
    expect(run.status).toBe('succeeded');
    const [model] = await runtime.models();
    const { tokensHeld = 0, tokensRead = 0 } = model?.usage ?? {};
    // Of the second question, which repeats the first and its answer, the new end alone was read.
    expect(tokensHeld).toBeGreaterThan(40);
    expect(tokensRead).toBeLessThan(run.usage.promptTokens);
    expect(tokensHeld + tokensRead).toBe(run.usage.promptTokens);
  });
});

describe('what only this machine may see', () => {
  test.each(['context', 'snapshot'] as const)(
    'is not handed to an endpoint as a %s',
    async (as) => {
      const server = await serve();
      const writer = { turns: undefined, tools: [], model: 'far' };
      const agents = {
        reader: { privacy: 'local-only', output: undefined },
        writer: as === 'snapshot' ? { ...writer, output: undefined } : { output: undefined },
      };
      const definition = pipeline({ from: 'read', as }, agents);
      const { dataDirectory, request } = desk(definition);
      const runtime = await openRuntime(dataDirectory, {
        models: [{ name: 'far', baseUrl: server.baseUrl, model: 'far' }],
      });
      const run = await runToEnd(runtime, request);
      expect(server.calls).toEqual([]);
      expect(run.progress.handedToHuman).toBe(as === 'snapshot' ? 1 : 0);
    },
  );
});

describe('what a run has kept of its conversations', () => {
  test('is in files under the data directory while it goes on, and gone when it ends', async () => {
    const agents = { reader: { output: undefined }, writer: { output: undefined } };
    const { dataDirectory, request } = desk(pipeline({ from: 'read' }, agents));
    const { folder } = request.input;
    for (const name of ['b', 'c', 'd']) {
      writeFileSync(join(folder, `${name}.txt`), `${name}: ${document.repeat(4)}`);
    }
    const states = join(dataDirectory, 'states');
    await (await openRuntime(dataDirectory)).stop();
    writeFileSync(join(states, 'left by a killed process'), 'readable');
    const runtime = await openRuntime(dataDirectory, { model: { sequences: 1 } });
    expect(readdirSync(states)).not.toContain('left by a killed process');
    const run = await runToEnd(runtime, request);
    expect(run.status).toBe('succeeded');
    const usage = async () => (await runtime.models())[0]?.usage;
    expect((await usage())?.offloaded).toBeGreaterThan(0);
    await expect.poll(usage).toMatchObject({ parked: 0, files: { files: 0 } });
  });
});

describe('a snapshot', () => {
  const snapshot = [
    'Handed over from read (Reads letters.).',
    'Objectives:\n- Name the cost.',
    'Facts:\n- The lift in Bonn is repaired on 3 May.',
    'Names, dates and numbers:\n- Bonn\n- €640\n- 3 May',
    'Decisions:\n- €640 for the lift in Bonn',
  ].join('\n');

  test('has objectives, facts, entities and decisions, and nothing of the conversation', async () => {
    const asked = await prompts(pipeline({ from: 'read', as: 'snapshot' }));
    expect(asked[2]).toEqual([
      ['system', 'You write replies.'],
      ['user', `${snapshot}\n\nReply about the lift.`],
    ]);
  });

  test.each([
    ['has no turns', { writer: { turns: undefined, tools: [] } }],
    ['is asked of another model', { writer: { model: 'm' } }],
  ])('is what auto takes for an agent that %s', async (_, agents) => {
    const asked = await prompts(pipeline({ from: 'read' }, agents));
    expect(asked[2]?.at(-1)).toEqual(['user', `${snapshot}\n\nReply about the lift.`]);
  });
});

describe('a handoff that cannot be', () => {
  const problems = (definition: JsonObject): string[] =>
    findPipelineProblems(pipelineDefinitionSchema.parse(definition), []).map(
      ({ message }) => message,
    );

  test.each([
    ['of an unknown step', pipeline({ from: 'gone' }), /step "gone"/],
    [
      'by a conversation between different models',
      pipeline({ from: 'read', as: 'context' }, { writer: { model: 'other' } }),
      /different models; say snapshot or auto/,
    ],
    [
      'by a conversation to an agent without turns',
      pipeline({ from: 'read', as: 'context' }, { writer: { turns: undefined } }),
      /goes on has no turns/,
    ],
    [
      'by a conversation to a context within a budget',
      pipeline(
        { from: 'read', as: 'context' },
        { writer: { context: { budget: { characters: 900 } } } },
      ),
      /within a budget/,
    ],
  ])('is refused: %s', (_, definition, message) => {
    expect(problems(definition).join('\n')).toMatch(message);
  });

  test('is refused for a step that does not need it, or that asks for each element', () => {
    const definition = pipeline({ from: 'read' }) as unknown as { steps: JsonObject[] };
    const [first, second] = definition.steps;
    const without = { ...definition, steps: [first, { ...second, needs: [] }] };
    expect(problems(without as unknown as JsonObject).join()).toMatch(/add it to needs/);
    const each = { ...definition, steps: [{ ...first, each: 'document.list' }, second] };
    expect(problems(each as unknown as JsonObject).join()).toMatch(/once for each element/);
  });
});
