import { describe, expect, it } from 'vitest';
import { Ledger, markOf, messagesMax, stamp } from '../../bench/bus/payload.ts';

/** Lengths in words on both sides of every change of the stride. */
const lengths = [16, 64, 65, 256, 16_384, 2 ** 18, 2 ** 20];

function payload(count: number, mark: number): Int32Array {
  const words = new Int32Array(count);
  stamp({ words, first: 0, count }, mark);
  return words;
}

describe('payloads of the bus benchmark', () => {
  it.each(lengths)('are accepted in order: %i words', (count) => {
    const ledger = new Ledger(2);
    for (const mark of [markOf(0, 0), markOf(1, 0), markOf(1, 1), markOf(0, 1)]) {
      expect(ledger.check(payload(count, mark), 0, count)).toBe(mark);
    }
    expect(ledger.received).toBe(4);
  });

  it.each(lengths)('with a changed word are refused: %i words', (count) => {
    const touched = Array.from(payload(count, markOf(0, 0)).entries())
      .filter(([index, word]) => index > 0 && word !== 0)
      .map(([index]) => index);
    expect(touched.length).toBeGreaterThan(0);
    for (const index of [touched[0] ?? 0, touched.at(-1) ?? 0]) {
      const words = payload(count, markOf(0, 0));
      words[index] = (words[index] ?? 0) ^ 1;
      expect(() => new Ledger(1).check(words, 0, count)).toThrow('damaged');
    }
  });

  it('that are torn between two messages are refused', () => {
    const words = payload(16, markOf(0, 0));
    words.set(payload(16, markOf(0, 1)).subarray(8), 8);
    expect(() => new Ledger(1).check(words, 0, 16)).toThrow('damaged');
  });

  it('that lie one word off are refused', () => {
    const words = new Int32Array(17);
    stamp({ words, first: 1, count: 16 }, markOf(0, 0));
    expect(() => new Ledger(1).check(words, 0, 16)).toThrow();
  });

  it.each([
    ['lost', [0, 2]],
    ['repeated', [0, 0]],
    ['overtaken', [1, 0]],
  ])('are refused when one is %s', (_what, numbers) => {
    const ledger = new Ledger(1);
    const receive = (): void => {
      for (const number of numbers) ledger.check(payload(16, markOf(0, number)), 0, 16);
    };
    expect(receive).toThrow('instead of');
  });

  it('of an unknown producer are refused', () => {
    expect(() => new Ledger(1).check(payload(16, markOf(1, 0)), 0, 16)).toThrow('instead of');
  });

  it('have a mark that fits a word, up to the last message of the last producer', () => {
    const mark = markOf(31, messagesMax - 1);
    expect(payload(16, mark)[0]).toBe(mark);
  });
});
