import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DetectorRun } from '../../src/inference/detector-run.ts';
import {
  auroc,
  effectOf,
  intervenes,
  type LabelledValue,
  proposeThreshold,
} from '../../src/inference/discrimination.ts';
import type { DetectorSettings, GeneratedToken } from '../../src/inference/model-port.ts';
import { signals } from '../../src/inference/signals.ts';
import { made, madeOf } from './made-tokens.ts';

const labelled = fc.array(
  fc.record({ value: fc.integer({ min: 0, max: 12 }).map((n) => n / 4), right: fc.boolean() }),
  { minLength: 1, maxLength: 60 },
);
const anySignal = fc.constantFrom(
  { low: true, range: { min: 0, max: 1, whole: false } },
  { low: false, range: { min: 0, max: 100, whole: false } },
  { low: false, range: { min: 2, max: 9, whole: true } },
);

function naiveAuroc({ low }: { low: boolean }, values: readonly LabelledValue[]): number | null {
  const of = (right: boolean) => values.filter((each) => each.right === right);
  const pairs = of(false).flatMap((wrong) =>
    of(true).map((right) => {
      if (wrong.value === right.value) return 0.5;
      return wrong.value > right.value === low ? 0 : 1;
    }),
  );
  if (pairs.length === 0) return null;
  return pairs.reduce<number>((sum, each) => sum + each, 0) / pairs.length;
}

describe('auroc', () => {
  it('is the share of pairs that are in order', () => {
    fc.assert(
      fc.property(anySignal, labelled, (signal, values) => {
        const expected = naiveAuroc(signal, values);
        const found = auroc(signal, values);
        if (expected === null) expect(found).toBeNull();
        else expect(found).toBeCloseTo(expected, 9);
      }),
    );
  });
});

describe('effects of a threshold', () => {
  it('are shares of the interventions, the wrong and the right answers', () => {
    const values = [
      { value: 0.1, right: false },
      { value: 0.2, right: true },
      { value: 0.3, right: false },
      { value: 0.9, right: true },
    ];
    expect(effectOf({ low: true }, values, 0.3)).toEqual({
      threshold: 0.3,
      interventions: 2,
      precision: 0.5,
      recall: 0.5,
      falseRate: 0.5,
    });
    expect(effectOf({ low: false }, [], 0.3)).toMatchObject({
      interventions: 0,
      precision: null,
      recall: null,
      falseRate: null,
    });
  });
});

describe('a proposed threshold', () => {
  it('keeps to the rate and to the range, and stops something', () => {
    fc.assert(
      fc.property(
        anySignal,
        labelled,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (signal, values, falseMax) => {
          const threshold = proposeThreshold(signal, values, falseMax);
          if (threshold === null) return;
          const { min, max, whole } = signal.range;
          expect(threshold).toBeGreaterThanOrEqual(min);
          expect(threshold).toBeLessThanOrEqual(max);
          if (whole && !signal.low) expect(Number.isInteger(threshold)).toBe(true);
          const { falseRate, interventions } = effectOf(signal, values, threshold);
          expect(falseRate ?? 0).toBeLessThanOrEqual(falseMax);
          expect(interventions).toBeGreaterThan(0);
        },
      ),
    );
  });

  it('stops as many as the rate allows', () => {
    const right = [0.9, 0.8, 0.7, 0.35].map((value) => ({ value, right: true }));
    const wrong = [0.6, 0.5, 0.31].map((value) => ({ value, right: false }));
    const signal = { low: true, range: { min: 0, max: 1, whole: false } };
    const all = [...right, ...wrong];
    expect(proposeThreshold(signal, all, 0)).toBe(0.35);
    expect(proposeThreshold(signal, all, 0.25)).toBe(0.7);
    expect(proposeThreshold(signal, wrong, 0.25)).toBeNull();
    expect(proposeThreshold(signal, right, 0)).toBeNull();
    const high = { low: false, range: { min: 0, max: 20, whole: false } };
    const spikes = [
      { value: 1.23456, right: true },
      { value: 1.5, right: false },
    ];
    expect(proposeThreshold(high, spikes, 0)).toBe(1.24);
  });
});

describe('signals', () => {
  const anyToken: fc.Arbitrary<GeneratedToken> = fc.record({
    text: fc.constantFrom('a', 'b ', 'we pay the bill now.\n', '{"a": [', '"', '}', ' ', ''),
    confidence: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    forced: fc.boolean(),
    entropy: fc.option(fc.double({ min: 0, max: 6, noNaN: true })),
    margin: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  });

  it.each(signals.filter(({ setting }) => setting !== null).map((signal) => [signal.name, signal]))(
    'the %s of an answer tells whether its detector stops it',
    (_, signal) => {
      const { min, max, whole } = signal.range;
      const range = { min: whole ? min : Math.max(min, 1e-6), max: Math.min(max, 24) };
      const threshold = whole ? fc.integer(range) : fc.double({ ...range, noNaN: true });
      fc.assert(
        fc.property(fc.array(anyToken, { maxLength: 60 }), threshold, (tokens, at) => {
          const settings = {
            minConfidence: null,
            repetition: null,
            [signal.setting as string]: at,
          };
          const run = new DetectorRun(settings as DetectorSettings, true);
          const stopped = tokens.some((token) => run.take(token).halt !== null);
          const measured = signal.measure(tokens, true);
          const told = measured !== null && intervenes(signal, measured.value, at);
          // The least perplexity, 1, is that of an answer at rest too; nobody would ask for it.
          if (signal.setting !== 'perplexity' || at > 1) expect(told).toBe(stopped);
        }),
      );
    },
  );

  const value = (name: string, tokens: readonly GeneratedToken[]) =>
    signals.find((signal) => signal.name === name)?.measure(tokens, false) ?? null;

  it('without a detector are means and extremes of what is known of the free tokens', () => {
    const tokens = [
      made('a', { confidence: 0.5, entropy: 0.7, margin: 0.2 }),
      made('b', { confidence: 0.25, entropy: 1.5, margin: 0.6 }),
      made('c', { confidence: 0.1, entropy: 3, margin: 0.1, forced: true }),
    ];
    expect(value('mean surprisal', tokens)?.value).toBeCloseTo(1.5 * Math.log(2), 9);
    expect(value('largest entropy', tokens)).toEqual({ value: 1.5, atToken: 1 });
    expect(value('least margin', tokens)).toEqual({ value: 0.2, atToken: 0 });
  });

  it('are unknown where the backend did not tell what they need (S1)', () => {
    for (const { name, measure, setting } of signals) {
      const silent = measure(madeOf(null, null), true);
      const needsNothing = ['repetition', 'nearRepetition', 'stall'].includes(setting ?? '');
      expect(silent === null, name).toBe(!needsNothing);
    }
    expect(value('largest entropy', madeOf(0.5))).toBeNull();
    expect(value('least margin', madeOf(0.5))).toBeNull();
  });
});
