import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readListedTokens } from '../../src/inference/listed-tokens.ts';

const read = (probabilities: readonly number[]) => readListedTokens(probabilities.map(Math.log));

function trueEntropy(probabilities: readonly number[]): number {
  return probabilities.reduce((sum, each) => sum - (each > 0 ? each * Math.log(each) : 0), 0);
}

describe('the likeliest tokens at one place', () => {
  it('tell entropy and margin where they are all there are', () => {
    const { entropy, margin } = read([0.25, 0.5, 0.25]);
    expect(entropy).toBeCloseTo(1.5 * Math.LN2, 9);
    expect(margin).toBeCloseTo(0.25, 9);
  });

  it('tell a certain place from a flat one', () => {
    expect(read([0.999, 0.0004, 0.0002]).entropy).toBeLessThan(0.02);
    // Five of five hundred alike: little is listed, and the rest is not one token.
    const flat = read(new Array(5).fill(1 / 500));
    expect(flat.entropy).toBeCloseTo(Math.log(500), 6);
    expect(flat.margin).toBe(0);
  });

  it.each([
    ['nothing is listed', []],
    ['one token is listed', [0.5]],
    ['there is more than the whole', [0.9, 0.3]],
  ])('tell nothing when %s (U2)', (_, probabilities) => {
    expect(read(probabilities)).toEqual({ entropy: null, margin: null });
  });

  it('may be more than 1 by rounding, and may be impossible', () => {
    expect(read([1, 0.0001])).toEqual({ entropy: expect.closeTo(0.0009, 3), margin: 0.9999 });
    const lowest = Number.MIN_SAFE_INTEGER;
    expect(readListedTokens([-1e-7, lowest, lowest])).toEqual({
      entropy: expect.closeTo(0, 6),
      margin: expect.closeTo(1, 6),
    });
  });

  it('never tell more entropy than there is, whatever is not listed (U1)', () => {
    const weights = fc.array(fc.double({ min: 1e-6, max: 1, noNaN: true }), {
      minLength: 2,
      maxLength: 60,
    });
    fc.assert(
      fc.property(weights, fc.integer({ min: 2, max: 8 }), (all, count) => {
        const sum = all.reduce((one, other) => one + other, 0);
        const probabilities = all.map((each) => each / sum).sort((one, other) => other - one);
        const { entropy, margin } = read(probabilities.slice(0, count));
        expect(entropy).toBeGreaterThanOrEqual(0);
        expect(entropy).toBeLessThanOrEqual(trueEntropy(probabilities) + 1e-9);
        expect(margin).toBeCloseTo((probabilities[0] ?? 0) - (probabilities[1] ?? 0), 9);
      }),
    );
  });
});
