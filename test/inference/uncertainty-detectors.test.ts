/** Detectors of uncertainty over time: spike, perplexity, collapse. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collapseMeasure } from '../../src/inference/collapse-detector.ts';
import { type Detected, DetectorRun } from '../../src/inference/detector-run.ts';
import type { DetectorSettings, GeneratedToken } from '../../src/inference/model-port.ts';
import { perplexityMeasure } from '../../src/inference/perplexity-detector.ts';
import { spikeMeasure } from '../../src/inference/spike-detector.ts';
import { peakOf } from '../../src/inference/token-measure.ts';
import { made, madeOf, madeWords } from './made-tokens.ts';

function firstHalt(
  settings: Partial<DetectorSettings>,
  tokens: readonly GeneratedToken[],
): Detected | null {
  const run = new DetectorRun({ minConfidence: null, repetition: null, ...settings });
  for (const each of tokens) {
    const detected = run.take(each);
    if (detected.halt !== null) return detected;
  }
  return null;
}

const anyToken: fc.Arbitrary<GeneratedToken> = fc.record({
  text: fc.constantFrom('a', 'b ', 'c', ''),
  confidence: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  forced: fc.boolean(),
  entropy: fc.option(fc.double({ min: 0, max: 6, noNaN: true })),
  margin: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
});

describe('spike detector', () => {
  it('halts where a token is far more surprising than the mean before it', () => {
    const detected = firstHalt({ spike: 2 }, madeOf(0.9, 0.9, 0.9, 0.9, 0.05, 0.01));
    expect(detected?.halt).toMatchObject({ detector: 'spike', atToken: 4 });
    expect(detected?.halt?.evidence).toBe(
      'The model was suddenly uncertain at "w4" (token 5): 2.9 nats above the mean of the answer; 2 is the limit.',
    );
    expect(detected?.goodTokens).toBe(4);
  });

  it('lets an answer pass that is uncertain all along', () => {
    expect(firstHalt({ spike: 2 }, madeOf(0.3, 0.2, 0.3, 0.1, 0.2, 0.1))).toBeNull();
  });

  it('compares the first token with calm ones before it (P2)', () => {
    expect(firstHalt({ spike: 2 }, madeOf(0.1))?.halt?.atToken).toBe(0);
    expect(firstHalt({ spike: 2.4 }, madeOf(0.1))).toBeNull();
  });

  it('takes an entropy only where the first two are near each other (P3)', () => {
    const calm = madeOf(0.9, 0.9, 0.9, 0.9);
    const wide = { confidence: 0.6, entropy: 2.5 };
    const clear = made('x', { ...wide, margin: 0.5 });
    const near = made('x', { ...wide, margin: 0.1 });
    expect(firstHalt({ spike: 2 }, [...calm, clear])).toBeNull();
    expect(firstHalt({ spike: 2 }, [...calm, near])?.halt?.atToken).toBe(4);
    expect(firstHalt({ spike: 2 }, [...calm, { ...near, forced: true }])).toBeNull();
  });

  it('stirs at half of the limit', () => {
    const run = new DetectorRun({ minConfidence: null, repetition: null, spike: 2 });
    expect(run.take(made('a', { confidence: 0.5 }))).toMatchObject({ halt: null, stirs: false });
    expect(run.take(made('b', { confidence: 0.2 }))).toMatchObject({ halt: null, stirs: true });
  });
});

describe('perplexity detector', () => {
  it('halts once the last twelve free tokens together are too surprising', () => {
    const tokens = [...madeOf(...Array<number>(12).fill(0.9)), ...madeOf(...Array(20).fill(0.25))];
    const detected = firstHalt({ perplexity: 3 }, tokens);
    // 0.25 to the power of k/12 and 0.9 to the rest: 3 is reached at k = 10.
    expect(detected?.halt).toMatchObject({ detector: 'perplexity', atToken: 21 });
    expect(detected?.goodTokens).toBe(10);
    expect(detected?.halt?.evidence).toBe(
      'The last 12 free tokens have a perplexity of 3.2 (token 22); 3 is the limit.',
    );
  });

  it('says nothing of fewer tokens, and does not count forced ones (W1)', () => {
    expect(firstHalt({ perplexity: 2 }, madeOf(...Array<number>(11).fill(0.1)))).toBeNull();
    const forced = madeOf(...Array<number>(30).fill(1)).map((each) => ({ ...each, forced: true }));
    const tokens = madeOf(...Array<number>(12).fill(0.1)).flatMap((each, index) => [
      each,
      ...forced.slice(2 * index, 2 * index + 2),
    ]);
    expect(firstHalt({ perplexity: 9 }, tokens)?.halt?.atToken).toBe(33);
  });
});

describe('collapse detector', () => {
  const verse = 'one two three four five six seven eight nine ten eleven twelve thirteen fourteen ';
  const circle = Array.from({ length: 6 }, () => madeWords(`${verse}and so on and on `)).flat();

  it('halts in a circle that is too long for the detector of repetitions', () => {
    expect(firstHalt({ repetition: 3 }, circle)).toBeNull();
    const detected = firstHalt({ collapse: 24 }, circle);
    // The first round of 19 is new, and two tokens of the second lead from it.
    expect(detected?.halt).toMatchObject({ detector: 'collapse', atToken: 44 });
    expect(detected?.goodTokens).toBe(21);
  });

  it('lets pass what is certain and new, and a circle that is full of doubt', () => {
    const fresh = Array.from({ length: 200 }, (_, index) => made(`w${index} `));
    expect(firstHalt({ collapse: 8 }, fresh)).toBeNull();
    const doubtful = circle.map((each) => ({ ...each, confidence: 0.5 }));
    expect(firstHalt({ collapse: 8 }, doubtful)).toBeNull();
    const mixed = circle.map((each, index) =>
      index % 6 === 0 ? { ...each, confidence: 0.5 } : each,
    );
    expect(firstHalt({ collapse: 8 }, mixed)).toBeNull();
  });

  it('believes the entropy where somebody looked, and nothing where nobody knows (C1)', () => {
    const looked = circle.map((each) => ({ ...each, confidence: 0.5, entropy: 0.01 }));
    expect(firstHalt({ collapse: 24 }, looked)).not.toBeNull();
    const unknown = circle.map((each) => ({ ...each, confidence: null }));
    expect(firstHalt({ collapse: 8 }, unknown)).toBeNull();
  });
});

describe('measures', () => {
  it('are above a threshold exactly where its detector halts', () => {
    const settings = [
      ['spike', spikeMeasure, { min: 0.1, max: 6 }],
      ['perplexity', perplexityMeasure, { min: 1, max: 40 }],
    ] as const;
    const many = fc.array(anyToken, { maxLength: 60 });
    for (const [name, measure, range] of settings) {
      fc.assert(
        fc.property(many, fc.double({ ...range, noNaN: true }), (tokens, threshold) => {
          const peak = peakOf<never>(measure as never, tokens);
          const halted = firstHalt({ [name]: threshold }, tokens) !== null;
          expect(halted).toBe(peak !== null && peak.value >= threshold);
        }),
      );
    }
  });

  it('of collapse count as its detector does', () => {
    const few = fc.constantFrom('a ', 'b ').map((text) => made(text));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(few, anyToken), { maxLength: 80 }),
        fc.integer({ min: 4, max: 20 }),
        (tokens, threshold) => {
          const peak = peakOf(collapseMeasure, tokens);
          const halted = firstHalt({ collapse: threshold }, tokens) !== null;
          expect(halted).toBe(peak !== null && peak.value >= threshold);
        },
      ),
    );
  });
});

describe('a backend that tells no probabilities', () => {
  it('sets none of them off', () => {
    const settings = { minConfidence: 1, spike: 0.01, perplexity: 1, collapse: 4 };
    const silent = Array.from({ length: 64 }, () => made('la ', { confidence: null }));
    expect(firstHalt(settings, silent)).toBeNull();
  });
});

describe('detectors of uncertainty', () => {
  it('say the same again after they were rewound (D1)', () => {
    const settings = {
      minConfidence: null,
      repetition: null,
      spike: 3,
      perplexity: 4,
      collapse: 6,
    };
    const many = fc.array(anyToken, { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(many, fc.nat(), (tokens, place) => {
        const run = new DetectorRun(settings);
        const first = tokens.map((one) => run.take(one));
        const kept = place % tokens.length;
        run.rewind(kept);
        expect(tokens.slice(kept).map((one) => run.take(one))).toEqual(first.slice(kept));
      }),
    );
  });
});
