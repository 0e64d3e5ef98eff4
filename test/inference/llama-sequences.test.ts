import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { conversations } from '../../bench/inference/prompts.ts';
import { type LlamaModel, openLlamaModel } from '../../src/inference/llama-model.ts';
import type { GenerateOptions, GenerationRequest } from '../../src/inference/model-port.ts';
import { testFolder } from '../runtime/running.ts';
import { embeddedModelFile, request } from './requests.ts';

const opened: LlamaModel[] = [];

async function open(changes: Partial<Parameters<typeof openLlamaModel>[0]>): Promise<LlamaModel> {
  const model = await openLlamaModel({
    file: embeddedModelFile,
    trusted: true,
    device: 'cpu',
    cores: 2,
    ...changes,
  });
  opened.push(model);
  return model;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((model) => model.close()));
});

/** Conversations that begin alike and are longer than a few pieces. */
function longConversations(count: number): GenerationRequest[] {
  const notes = conversations(null, 60).map((turns) => turns.at(-1)?.content ?? '');
  return Array.from({ length: count }, (_, index) => {
    const body = notes.slice(index * 5, index * 5 + 4).join('\n');
    return request('', {
      messages: [
        { role: 'system', content: 'You answer from facts. '.repeat(24) },
        { role: 'user', content: `Summarise: ${body}` },
      ],
      maxTokens: 12,
    });
  });
}

function goOn(first: GenerationRequest, said: string): GenerationRequest {
  return {
    ...first,
    messages: [
      ...first.messages,
      { role: 'assistant', content: said },
      { role: 'user', content: 'Tool result: done. Summarise: The lift is repaired on Monday.' },
    ],
  };
}

/** Two turns of each; all at once, or one after the other. */
async function converse(
  model: LlamaModel,
  requests: readonly GenerationRequest[],
  options: GenerateOptions & { together: boolean },
): Promise<string[]> {
  const one = async (first: GenerationRequest, index: number): Promise<string> => {
    const use = { ...options, queueKey: `run ${index}` };
    const answer = await model.generate(first, use);
    const next = await model.generate(goOn(first, answer.text), use);
    return JSON.stringify([answer.tokens, next.tokens]);
  };
  if (options.together) return Promise.all(requests.map(one));
  const texts: string[] = [];
  for (const [index, each] of requests.entries()) texts.push(await one(each, index));
  return texts;
}

describe('deterministic mode', () => {
  it('gives the same tokens to one agent or to eight, with and without parking and offloading', async () => {
    const requests = longConversations(8).map((each, index) => ({
      ...each,
      temperature: index % 2 === 0 ? 0 : 0.8,
    }));
    const alone = await open({ deterministic: true });
    const expected = await converse(alone, requests, { together: false });
    expect((await alone.usage()).tokensHeld).toBeGreaterThan(0);
    for (const sequences of [3, 8]) {
      const stateFolder = join(testFolder(), 'states');
      const model = await open({ deterministic: true, sequences, stateFolder });
      const together = await converse(model, requests, { together: true, parks: true });
      expect(together).toEqual(expected);
      const usage = await model.usage();
      expect(usage.tokensHeld).toBeGreaterThan(requests.length * 128);
      if (sequences < 8) expect(usage.restored).toBeGreaterThan(0);
    }
  });

  it('is declared', async () => {
    const { info } = await open({ deterministic: true });
    expect(info.capabilities).toMatchObject({ deterministic: true, rollback: true });
  });
});

describe('an agent that will be back', () => {
  it('goes on from its file while others use its place, without reading it again', async () => {
    const stateFolder = join(testFolder(), 'states');
    const model = await open({ sequences: 2, stateFolder });
    const [first, ...others] = longConversations(6);
    if (first === undefined) throw new Error('there are conversations');
    const answer = await model.generate(first, { parks: true });
    for (const each of others) await model.generate(each);
    const before = await model.usage();
    expect(before).toMatchObject({ offloaded: 1, restored: 0, files: { files: 1 } });
    const next = await model.generate(goOn(first, answer.text), { parks: true });
    const after = await model.usage();
    expect(after.restored).toBe(1);
    // All but its own new turn.
    expect(after.tokensRead - before.tokensRead).toBeLessThan(next.usage.promptTokens / 4);
    expect(after.memory.weights).toBeGreaterThan(4_000_000);
  });

  it('is read again when its file is damaged', async () => {
    const stateFolder = join(testFolder(), 'states');
    const model = await open({ sequences: 1, stateFolder });
    const [first, second] = longConversations(2);
    if (first === undefined || second === undefined) throw new Error('there are conversations');
    const answer = await model.generate(first, { parks: true });
    await model.generate(second);
    const names = readdirSync(stateFolder, { recursive: true, encoding: 'utf8' });
    const name = names.find((each) => each.endsWith('.kv')) ?? '';
    writeFileSync(join(stateFolder, name), 'damaged');
    const next = await model.generate(goOn(first, answer.text));
    expect(next.status).toBe('completed');
    expect((await model.usage()).files.refused).toBe(1);
  });

  it('is forgotten by its key', async () => {
    const stateFolder = join(testFolder(), 'states');
    const model = await open({ sequences: 2, stateFolder });
    for (const [index, each] of longConversations(4).entries()) {
      await model.generate(each, { parks: true, queueKey: `run ${index}` });
    }
    const files = async () => (await model.usage()).files.files;
    // Two have lost their place, and the next one is stored before it does.
    await expect.poll(files).toBe(3);
    await model.forget('run 0');
    expect(await files()).toBe(2);
    await model.forget('run 3');
    expect((await model.usage()).parked).toBe(1);
  });
});

describe('one beginning of many', () => {
  it('is read once, though all ask at the same time', async () => {
    const stateFolder = join(testFolder(), 'states');
    const model = await open({ sequences: 4, stateFolder });
    const document = 'The office opens at nine. The lift is repaired on Monday. '.repeat(20);
    const questions = ['opens', 'lift', 'office', 'Monday'].map((word) =>
      request(`Facts: ${document} Question: What about the ${word}?`, { maxTokens: 8 }),
    );
    const outcomes = await Promise.all(questions.map((each) => model.generate(each)));
    const prompts = outcomes.reduce((sum, { usage }) => sum + usage.promptTokens, 0);
    const { tokensRead, tokensHeld } = await model.usage();
    expect(tokensRead + tokensHeld).toBe(prompts);
    expect(tokensRead).toBeLessThan(prompts / 2);
  });
});

describe('a closer look', () => {
  it('tells entropy and margin of some tokens, and of all after a detector stirs', async () => {
    const model = await open({});
    const { tokens } = await model.generate(
      request(
        'Summarise: The inspection is moved to 21 January, and the lift is repaired on Monday.',
      ),
    );
    const looked = tokens.map(({ entropy }) => entropy !== null);
    expect(looked.slice(0, 17)).toEqual(Array.from({ length: 17 }, (_, place) => place % 16 === 0));
    for (const { entropy, margin, confidence } of tokens.filter(
      (token) => token.entropy !== null,
    )) {
      expect(entropy).toBeGreaterThanOrEqual(0);
      expect(margin).toBeLessThanOrEqual(confidence ?? 1);
    }
    const halting = await model.generate(
      request('What is the capital of France?', {
        detectors: { minConfidence: 0.999_999, repetition: null },
        correction: { times: 2, temperature: 0 },
      }),
    );
    const [first] = halting.interventions ?? [];
    const after = halting.tokens.slice(first?.goodTokens, (first?.goodTokens ?? 0) + 2);
    expect(after.every(({ entropy }) => entropy !== null)).toBe(true);
  });
});

describe('what a detector no longer finds good', () => {
  const doubtful = { minConfidence: 0.9, repetition: null };
  const question =
    'Extract the names, places and dates from: Zbyněk met Oyelaran at Quetta on 3 May.';

  it('is taken back and sampled again, and the rest of the answer follows from that', async () => {
    const model = await open({});
    const halted = await model.generate(request(question, { detectors: doubtful }));
    expect(halted.status).toBe('halted');
    const places: number[] = [];
    const corrected = await model.generate(
      request(question, { detectors: doubtful, correction: { times: 8, temperature: 0.9 } }),
      { onToken: (_, place) => places.push(place) },
    );
    const interventions = corrected.interventions ?? [];
    expect(interventions.length).toBeGreaterThan(0);
    const [first] = interventions;
    expect(first).toMatchObject({
      detector: 'confidence',
      atToken: halted.halt?.atToken,
      goodTokens: halted.halt?.atToken,
      discardedTokens: 1,
      temperature: 0.9,
    });
    expect(first?.discarded).toBe(halted.tokens.at(-1)?.text);
    expect(new Set(interventions.map(({ seed }) => seed)).size).toBe(interventions.length);
    expect(corrected.text).toBe(corrected.tokens.map(({ text }) => text).join(''));
    expect(
      corrected.text.startsWith(
        halted.tokens
          .slice(0, -1)
          .map(({ text }) => text)
          .join(''),
      ),
    ).toBe(true);
    // Whoever watches sees a place again when its token was taken back.
    expect(places.length).toBe(corrected.tokens.length + interventions.length);
    expect(places.filter((place) => place === first?.goodTokens).length).toBeGreaterThan(1);
  });

  it('leaves the values that follow as if it had never been', async () => {
    const model = await open({ deterministic: true });
    // At temperature 0 the same token comes again, until the halt stands.
    const once = await model.generate(request(question, { detectors: doubtful }));
    const again = await model.generate(
      request(question, { detectors: doubtful, correction: { times: 3, temperature: 0 } }),
    );
    expect(again.interventions).toHaveLength(3);
    expect(again.halt).toEqual(once.halt);
    expect(again.tokens.map(({ text, confidence }) => ({ text, confidence }))).toEqual(
      once.tokens.map(({ text, confidence }) => ({ text, confidence })),
    );
  });

  it('keeps to the schema', async () => {
    const model = await open({});
    const list = { type: 'array', items: { type: 'string' }, maxItems: 4 };
    const schema = {
      type: 'object',
      properties: { names: list, places: list, dates: list },
      required: ['names', 'places', 'dates'],
    };
    for (let seed = 1; seed <= 6; seed += 1) {
      const outcome = await model.generate(
        request(question, {
          schema,
          seed,
          detectors: { minConfidence: 0.9, repetition: null },
          correction: { times: 8, temperature: 1.2 },
        }),
      );
      expect(outcome.interventions?.length).toBeGreaterThan(0);
      if (outcome.status === 'completed') {
        expect(Object.keys(JSON.parse(outcome.text))).toEqual(['names', 'places', 'dates']);
      } else expect(outcome.interventions).toHaveLength(8);
    }
  });

  it('is the whole loop but its first copy', async () => {
    const model = await open({});
    const outcome = await model.generate(
      request('Copy: la la la la la la la la la la la la la la la la', {
        temperature: 0.2,
        detectors: { minConfidence: null, repetition: 3 },
        correction: { times: 1, temperature: 1 },
      }),
    );
    const [first] = outcome.interventions ?? [];
    expect(first?.detector).toBe('repetition');
    expect(first?.discardedTokens).toBeGreaterThan(1);
  });
});

describe('a model that closes while it is told to forget', () => {
  it('lets go of its sequences first, and touches none afterwards', async () => {
    for (let time = 0; time < 6; time += 1) {
      const model = await open({ sequences: 4 });
      const asked = longConversations(4).map((each, index) =>
        model.generate({ ...each, maxTokens: 1 }, { parks: true, queueKey: `run ${index}` }),
      );
      await Promise.all(asked);
      const forgotten = [0, 1, 2, 3].map((index) => model.forget(`run ${index}`));
      const closed = model.close();
      await Promise.all([...forgotten, closed, model.forget('run 0')]);
      await model.forget('run 1');
    }
  });
});
