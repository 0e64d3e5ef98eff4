import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { conversations } from '../../bench/inference/prompts.ts';
import { type LlamaModel, openLlamaModel } from '../../src/inference/llama-model.ts';
import type { GenerationOutcome } from '../../src/inference/model-port.ts';
import type { SpeculationKind } from '../../src/inference/speculation.ts';
import { SpeculationGate } from '../../src/inference/speculation-gate.ts';
import { embeddedModelFile, request } from './requests.ts';

const draftFile = join(embeddedModelFile, '../tiny-agent-draft.gguf');

async function answers(
  speculation: SpeculationKind,
  count: number,
  use: (model: LlamaModel) => Promise<void> = async () => undefined,
): Promise<GenerationOutcome[]> {
  const model = await openLlamaModel({
    file: embeddedModelFile,
    draftFile,
    trusted: true,
    device: 'cpu',
    cores: 2,
    speculation,
    alwaysSpeculates: true,
  });
  try {
    const outcomes: GenerationOutcome[] = [];
    for (const messages of conversations(null, count)) {
      outcomes.push(await model.generate(request('', { messages, maxTokens: 60 })));
    }
    await use(model);
    return outcomes;
  } finally {
    await model.close();
  }
}

describe.each(['prompt-lookup', 'draft'] as const)('guessing by %s', (kind) => {
  it('changes no answer, and is confirmed now and then', async () => {
    const plain = await answers('off', 24);
    const guessed = await answers(kind, 24, async (model) => {
      const { speculation } = await model.usage();
      expect(speculation).toMatchObject({ kind, on: true });
      expect(speculation.confirmed).toBeGreaterThan(10);
      expect(speculation.guessed).toBeGreaterThan(speculation.confirmed);
      // Tokens that are taken back are no guesses that stay.
      const corrected = await model.generate(
        request('Extract the names and dates from: Zbyněk met Oyelaran on 3 May.', {
          detectors: { minConfidence: 0.9, repetition: null },
          correction: { times: 4, temperature: 0.8 },
        }),
      );
      expect(corrected.interventions?.length).toBeGreaterThan(0);
      expect(corrected.text).toBe(corrected.tokens.map(({ text }) => text).join(''));
      // A grammar holds for guesses too.
      const schema = {
        type: 'object',
        properties: { names: { type: 'array', items: { type: 'string' }, maxItems: 3 } },
        required: ['names'],
      };
      const json = await model.generate(
        request('Extract the names from: Priya wrote to Marco in Leeds.', { schema }),
      );
      expect(JSON.parse(json.text)).toEqual({ names: ['Priya', 'Marco'] });
    });
    const texts = (outcomes: GenerationOutcome[]) => outcomes.map(({ text }) => text);
    expect(texts(guessed)).toEqual(texts(plain));
    for (const [index, { tokens }] of guessed.entries()) {
      for (const [place, { confidence }] of tokens.entries()) {
        expect(confidence).toBeCloseTo(plain[index]?.tokens[place]?.confidence ?? 0, 2);
      }
    }
  });
});

describe('guessing in deterministic mode', () => {
  it('is off', async () => {
    const model = await openLlamaModel({
      file: embeddedModelFile,
      trusted: true,
      device: 'cpu',
      cores: 2,
      speculation: 'prompt-lookup',
      deterministic: true,
    });
    await model.generate(request('Summarise: The lift is repaired on Monday.'));
    expect((await model.usage()).speculation).toMatchObject({ kind: 'off', guessed: 0 });
    await model.close();
  });
});

describe('the gate of guessing', () => {
  function run(gate: SpeculationGate, generations: number, ms: (guessed: boolean) => number) {
    const guesses: boolean[] = [];
    for (let count = 0; count < generations; count += 1) {
      const guessed = gate.next();
      guesses.push(guessed);
      gate.record({ guessed, tokens: 50, ms: ms(guessed) });
    }
    return guesses;
  }

  it('tries both in turns, then keeps the faster and tries the other now and then', () => {
    for (const faster of [true, false]) {
      const gate = new SpeculationGate();
      const guesses = run(gate, 200, (guessed) => (guessed === faster ? 10 : 20));
      expect(guesses.slice(0, 16).filter((guessed) => guessed)).toHaveLength(8);
      expect(gate.isFaster).toBe(faster);
      const others = guesses.slice(16).filter((guessed) => guessed !== faster).length;
      expect(others).toBeGreaterThan(3);
      expect(others).toBeLessThan(10);
    }
  });

  it('switches itself off when it is no longer faster, and on again (G1)', () => {
    const gate = new SpeculationGate();
    run(gate, 40, (guessed) => (guessed ? 10 : 20));
    expect(gate.isFaster).toBe(true);
    run(gate, 400, (guessed) => (guessed ? 30 : 20));
    expect(gate.isFaster).toBe(false);
    run(gate, 400, (guessed) => (guessed ? 10 : 20));
    expect(gate.isFaster).toBe(true);
  });

  it('learns nothing from short answers', () => {
    const gate = new SpeculationGate();
    for (let count = 0; count < 40; count += 1) {
      const guessed = gate.next();
      gate.record({ guessed, tokens: 2, ms: guessed ? 1 : 100 });
    }
    expect(gate.isFaster).toBe(false);
    expect(gate.perSecond).toEqual({ plain: null, guessing: null });
  });
});
