/** A generation on a context: what the generator is asked, and what is read from the journal for it. */
import { expect, test } from 'vitest';
import { type ContextNode, contextHash, encodeContext } from '../../src/actors/context-node.ts';
import { readContextChain } from '../../src/actuators/context-chain.ts';
import { inferenceActuator } from '../../src/actuators/inference.ts';
import { ContextCache } from '../../src/inference/context-cache.ts';
import type { GenerationQuestion } from '../../src/inference/context-generation.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { type Sha256, sha256 } from '../../src/kernel/hash.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { limits } from '../../src/kernel/limits.ts';
import { actuatorContext } from './actuator-context.ts';

const long = 'What the file says. '.repeat(40);
const first: ContextNode = { parent: null, items: [{ role: 'user', content: 'begin' }] };
const second: ContextNode = {
  parent: contextHash(first),
  items: [
    { role: 'assistant', content: 'read' },
    { role: 'tool', tool: 'read', content: { text: long } },
  ],
};
const third: ContextNode = {
  parent: contextHash(second),
  items: [{ role: 'user', content: 'and?' }],
};

/** A journal that has the nodes. */
function journalOf(nodes: readonly ContextNode[]): Map<Sha256, Buffer> {
  const blobs = new Map<Sha256, Buffer>();
  for (const { hash, text, texts } of nodes.map(encodeContext)) {
    blobs.set(hash, Buffer.from(text));
    for (const [key, content] of texts) blobs.set(key, content);
  }
  return blobs;
}

function asking(context: ContextNode): JsonObject {
  return {
    context: context as unknown as JsonObject,
    schema: null,
    temperature: 0,
    seed: 1,
    maxTokens: 5,
    timeoutMs: 1_000,
    detectors: { minConfidence: null, repetition: null },
  };
}

interface House {
  readonly asked: GenerationQuestion[];
  readonly prompts: string[][];
  readonly waits: () => number;
  ask(context: ContextNode): Promise<unknown>;
}

function house(blobs: ReadonlyMap<Sha256, Buffer>): House {
  const cache = new ContextCache();
  const asked: GenerationQuestion[] = [];
  const prompts: string[][] = [];
  let waits = 0;
  const { generate } = inferenceActuator(
    {
      async generate(question) {
        asked.push(question);
        if (!('chain' in question)) throw new Error('a context is expected');
        prompts.push(cache.messages(question.chain).map(({ content }) => content));
        return {
          status: 'completed',
          text: 'yes',
          finish: 'stop',
          tokens: [],
          minConfidence: null,
          halt: null,
          usage: { promptTokens: 1, answerTokens: 1 },
        };
      },
    },
    { lookup: (_run, hash) => blobs.get(hash) ?? null },
  ).operations;
  return {
    asked,
    prompts,
    waits: () => waits,
    async ask(context) {
      return generate?.perform(
        generate.arguments.parse(asking(context)),
        actuatorContext('/', {
          recorded: async () => {
            waits += 1;
          },
        }),
      );
    },
  };
}

test('a conversation that goes on brings its new items only, and waits for no disk', async () => {
  const { ask, asked, waits } = house(new Map());
  for (const node of [first, second, third]) await ask(node);
  expect(asked.map((question) => 'chain' in question && question.chain)).toEqual([
    [first],
    [second],
    [third],
  ]);
  expect(waits()).toBe(0);
});

test('a context that is not remembered is read from the journal, once its record is durable', async () => {
  const { ask, asked, prompts, waits } = house(journalOf([first, second]));
  expect(await ask(third)).toMatchObject({ text: 'yes' });
  expect(asked.map((question) => 'chain' in question && question.chain)).toEqual([
    [third],
    [first, second, third],
  ]);
  expect(prompts).toEqual([
    ['begin', 'read', `Result of read:\n${JSON.stringify({ text: long })}\n\nand?`],
  ]);
  expect(waits()).toBe(1);
  await ask({ parent: contextHash(third), items: [] });
  expect(waits()).toBe(1);
});

test('a context that the journal has not whole is an error that names it', async () => {
  const blobs = journalOf([first, second]);
  blobs.delete(contextHash(first));
  await expect(house(blobs).ask(third)).rejects.toMatchObject({
    code: 'BLOB_MISSING',
    details: { hash: contextHash(first) },
  });
  const damaged = journalOf([first, second]);
  damaged.set(contextHash(second), Buffer.from('{"parent":null,"items":[]}'));
  await expect(house(damaged).ask(third)).rejects.toMatchObject({ code: 'BLOB_MISSING' });
  const textless = journalOf([first, second]);
  textless.delete(sha256(long));
  await expect(house(textless).ask(third)).rejects.toMatchObject({ code: 'BLOB_MISSING' });
});

test('another error is not answered by asking again', async () => {
  let asked = 0;
  const { generate } = inferenceActuator(
    {
      async generate() {
        asked += 1;
        throw new RuntimeError('INFERENCE_TIMEOUT', 'late');
      },
    },
    { lookup: () => null },
  ).operations;
  const args = generate?.arguments.parse(asking(third));
  await expect(generate?.perform(args, actuatorContext('/'))).rejects.toMatchObject({
    code: 'INFERENCE_TIMEOUT',
  });
  expect(asked).toBe(1);
});

test('a chain is read from its beginning', () => {
  const blobs = journalOf([first, second, third]);
  const lookup = (hash: Sha256) => blobs.get(hash) ?? null;
  expect(readContextChain(contextHash(third), lookup)).toEqual([first, second, third]);
  const long = [first];
  while (long.length <= limits.chatMessagesMax) {
    const parent = contextHash(long.at(-1) as ContextNode);
    long.push({ parent, items: [{ role: 'user', content: 'more' }] });
  }
  const many = journalOf(long);
  const head = contextHash(long.at(-1) as ContextNode);
  expect(() => readContextChain(head, (hash) => many.get(hash) ?? null)).toThrow(
    expect.objectContaining({ code: 'CONTEXT_TOO_LONG' }),
  );
});

test.each([
  { context: { parent: null, items: [] } },
  { context: { parent: 'x', items: [] } },
  { context: { parent: null, items: [{ role: 'tool', content: '' }] } },
  {
    context: {
      parent: null,
      items: Array(limits.contextItemsMax + 1).fill({ role: 'user', content: '' }),
    },
  },
  { messages: [{ role: 'user', content: 'both' }] },
])('takes no context that is not one (%#)', (wrong) => {
  const { generate } = inferenceActuator(
    { generate: () => Promise.reject(new Error('never')) },
    { lookup: () => null },
  ).operations;
  expect(generate?.arguments.safeParse(asking(first)).success).toBe(true);
  expect(generate?.arguments.safeParse({ ...asking(first), ...wrong }).success).toBe(false);
});
