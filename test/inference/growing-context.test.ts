import { join } from 'node:path';
import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp';
import { afterEach, describe, expect, it } from 'vitest';
import { GrowingContext } from '../../src/inference/growing-context.ts';
import { type LlamaModel, openLlamaModel } from '../../src/inference/llama-model.ts';
import type { GenerationRequest } from '../../src/inference/model-port.ts';
import { anyReuse } from '../../src/inference/reuse-policy.ts';
import { SequencePool } from '../../src/inference/sequence-pool.ts';
import { TimeLimit } from '../../src/inference/time-limit.ts';
import { testFolder } from '../runtime/running.ts';
import { embeddedModelFile, request } from './requests.ts';

const opened: LlamaModel[] = [];

async function open(changes: Partial<Parameters<typeof openLlamaModel>[0]>): Promise<LlamaModel> {
  const model = await openLlamaModel({
    file: embeddedModelFile,
    trusted: true,
    device: 'cpu',
    cores: 2,
    stateFolder: join(testFolder(), 'states'),
    ...changes,
  });
  opened.push(model);
  return model;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((model) => model.close()));
});

/** About `words` words and a few, of two tokens each. */
function longQuestion(words: number, name: string): GenerationRequest {
  const filler = 'The shop is open on Monday and the lift is repaired. '.repeat(words / 11);
  return request(`Facts: ${name} lives in Leeds. ${filler} Question: Where does ${name} live?`, {
    maxTokens: 16,
  });
}

describe('a context window', () => {
  it('grows for a longer question, and who is parked goes on without being read again', async () => {
    const model = await open({ contextTokens: { start: 512 }, deterministic: true });
    const wide = await open({ contextTokens: { start: 2_048 }, deterministic: true });
    expect(model.info.contextTokens).toBe(2_048);
    const first = longQuestion(180, 'Priya');
    const told = await model.generate(first, { parks: true, queueKey: 'priya' });
    expect(told.grown).toBeUndefined();
    expect((await model.usage()).window).toEqual({ tokens: 512, tokensMax: 2_048, growths: 0 });

    const long = longQuestion(420, 'Marco');
    const grown = await model.generate(long, { queueKey: 'marco' });
    expect(grown.grown).toEqual({ from: 512, to: 1_024 });
    const { grown: _, ...answer } = grown;
    expect(answer).toEqual(await wide.generate(long));

    const before = await model.usage();
    expect(before).toMatchObject({ window: { tokens: 1_024, growths: 1 }, restored: 0 });
    const next: GenerationRequest = {
      ...first,
      messages: [
        ...first.messages,
        { role: 'assistant', content: told.text },
        { role: 'user', content: 'Summarise: The rent goes up in July.' },
      ],
    };
    const goesOn = await model.generate(next, { parks: true, queueKey: 'priya' });
    const after = await model.usage();
    expect(after.restored).toBe(1);
    expect(after.tokensRead - before.tokensRead).toBeLessThan(goesOn.usage.promptTokens / 2);
    await wide.generate(first);
    expect(goesOn).toEqual(await wide.generate(next));
  });

  it('grows while others generate, and loses no answer', async () => {
    const model = await open({ contextTokens: { start: 256 }, sequences: 3 });
    const sizes = [50, 350, 75, 700, 60, 45, 650, 55];
    const questions = sizes.map((words, index) => longQuestion(words, `Ana${index}`));
    const answers = await Promise.all(questions.map((each) => model.generate(each)));
    const grown = answers.flatMap((answer) => answer.grown ?? []);
    expect(grown.map(({ to }) => to)).toEqual([1_024, 2_048]);
    expect((await model.usage()).window).toEqual({ tokens: 2_048, tokensMax: 2_048, growths: 2 });
    for (const [index, { usage, finish }] of answers.entries()) {
      expect(usage.promptTokens).toBeGreaterThan((sizes[index] ?? 0) * 1.6);
      expect(finish).not.toBe('halted');
    }
  });

  it('has an end, which a refusal names', async () => {
    const model = await open({ contextTokens: { start: 256, max: 512 } });
    expect(model.info.contextTokens).toBe(512);
    await expect(model.generate(longQuestion(900, 'Priya'))).rejects.toMatchObject({
      code: 'CONTEXT_TOO_LONG',
      details: { contextTokens: 512 },
    });
    expect((await model.usage()).window.growths).toBe(0);
  });

  it('grows with a draft model too, whose guesses go on', async () => {
    const model = await open({
      contextTokens: { start: 256, max: 1_024 },
      speculation: 'draft',
      alwaysSpeculates: true,
      draftFile: join(embeddedModelFile, '..', 'tiny-agent-draft.gguf'),
    });
    const summary = (day: string) =>
      request(
        `Summarise: Hello team. The inspection of the lift is moved to ${day} January. Thanks!`,
      );
    await model.generate(summary('21'));
    const { guessed } = (await model.usage()).speculation;
    const { grown } = await model.generate(longQuestion(300, 'Marco'));
    expect(grown).toEqual({ from: 256, to: 1_024 });
    await model.generate(summary('12'));
    const after = (await model.usage()).speculation.guessed;
    expect(guessed).toBeGreaterThan(0);
    expect(after).toBeGreaterThan(guessed);
  });
});

/** What the growth itself does, of a context that does as it is told. */
class FakeContext {
  readonly contextSize: number;
  readonly stateSize = 1;
  disposed = false;

  constructor(contextSize: number) {
    this.contextSize = contextSize;
  }

  async dispose(): Promise<void> {
    this.disposed = true;
  }
}

function growing(openContext: (tokens: number) => FakeContext) {
  const first = new FakeContext(100);
  const sequence = {
    contextTokens: [] as Token[],
    eraseContextTokenRanges: async () => undefined,
    clearHistory: async () => undefined,
  };
  const sequences = [sequence as unknown as LlamaContextSequence];
  const context = new GrowingContext({
    context: first as unknown as LlamaContext,
    tokensMax: 1_000,
    open: async (tokens) => openContext(tokens) as unknown as LlamaContext,
    sequencesOf: () => [...sequences],
    pool: new SequencePool<Token, LlamaContextSequence>(sequences, anyReuse),
  });
  return { context, first };
}

const minute = 60_000;

describe('growing', () => {
  it('keeps the old size where memory has no room, and tries no more', async () => {
    const asked: number[] = [];
    const { context, first } = growing((tokens) => {
      asked.push(tokens);
      if (tokens > 100) throw new Error('no memory');
      return new FakeContext(tokens);
    });
    const time = new TimeLimit(minute, undefined);
    expect(await context.with(150, time, async (growth) => growth)).toBeNull();
    expect(await context.with(900, time, async (growth) => growth)).toBeNull();
    expect(asked).toEqual([200, 100]);
    expect(first.disposed).toBe(true);
    expect(context.window).toEqual({ tokens: 100, tokensMax: 100, growths: 0 });
    time.end();
  });

  it('refuses everybody where not even the old size can be opened again', async () => {
    const { context, first } = growing(() => {
      throw new Error('no memory');
    });
    const time = new TimeLimit(minute, undefined);
    for (const tokens of [150, 50]) {
      const work = context.with(tokens, time, async () => 0);
      await expect(work).rejects.toMatchObject({ code: 'INFERENCE_UNAVAILABLE' });
    }
    expect(first.disposed).toBe(true);
    await context.dispose();
    time.end();
  });

  it('takes a smaller window than it asked for as the largest', async () => {
    const { context } = growing(() => new FakeContext(250));
    const time = new TimeLimit(minute, undefined);
    expect(await context.with(900, time, async (growth) => growth)).toEqual({ from: 100, to: 250 });
    expect(context.window).toMatchObject({ tokens: 250, tokensMax: 250 });
    time.end();
  });

  it('waits for whoever uses the old one, and lets nobody in meanwhile; who is stopped leaves', async () => {
    const { context, first } = growing((tokens) => new FakeContext(tokens));
    const time = new TimeLimit(minute, undefined);
    const order: string[] = [];
    const held = Promise.withResolvers<void>();
    const old = context.with(50, time, async () => {
      await held.promise;
      expect(first.disposed).toBe(false);
      order.push('old');
    });
    const larger = context.with(150, time, async () => order.push('larger'));
    const next = context.with(50, time, async () => {
      expect(first.disposed).toBe(true);
      order.push('next');
    });
    const abort = new AbortController();
    const stopped = context.with(150, new TimeLimit(minute, abort.signal), async () => 0);
    abort.abort();
    await expect(stopped).rejects.toMatchObject({ code: 'INFERENCE_ABORTED' });
    const late = context.with(150, new TimeLimit(1, undefined), async () => 0);
    await expect(late).rejects.toMatchObject({ code: 'INFERENCE_TIMEOUT' });
    held.resolve();
    await Promise.all([old, larger, next]);
    expect(order[0]).toBe('old');
    expect(order.toSorted()).toEqual(['larger', 'next', 'old']);
    time.end();
  });
});
