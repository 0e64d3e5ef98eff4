/**
 * A count that one thread adds to and any thread reads, exact up to 2^53, for
 * the price of a load, an addition and a store.
 *
 *   word 0                word 1
 *   ┌────────────────────┬──────────────────────────────────┐
 *   │ low 32 bits        │ 2 × high bits + 1 while carrying │
 *   └────────────────────┴──────────────────────────────────┘
 *
 * A number of 8 bytes would be simpler, but the language lets a plain access
 * to it tear (ECMAScript, IsNoTearConfiguration): a reader could see half of
 * an old and half of a new value. Integers of 32 bits never tear, and the
 * second word guards the one moment in 2^32 at which both words change.
 *
 * Invariants
 *   S1. One thread adds to a count.
 *   S2. While both words change the high word is odd, and it never holds the
 *       same value again: a reader that saw it even and unchanged around the
 *       low word has a value that the count really had.
 *   S3. What a reader sees never goes back.
 */

export const wordsPerCount = 2;

/** Adds `by`, an integer from 0 to 2^31 − 1, to the count at `index` (S1). */
export function addToCount(words: Int32Array, index: number, by: number): void {
  const before = words[index] ?? 0;
  const after = (before + by) | 0;
  // Half of the range is more than `by`, so only a carry goes from the upper half to the lower.
  if (before < 0 && after >= 0) carry(words, index, after);
  else words[index] = after;
}

/** Atomic stores keep the order of the three steps on every processor (S2). */
function carry(words: Int32Array, index: number, low: number): void {
  const high = words[index + 1] ?? 0;
  Atomics.store(words, index + 1, high + 1);
  Atomics.store(words, index, low);
  Atomics.store(words, index + 1, high + 2);
}

/** The count at `index`, as any thread may read it. */
export function readCount(words: Int32Array, index: number): number {
  for (;;) {
    const high = Atomics.load(words, index + 1);
    const low = Atomics.load(words, index);
    // The writer carries in three stores and waits for nothing, so this ends (S2).
    if ((high & 1) === 0 && high === Atomics.load(words, index + 1)) {
      return (high >>> 1) * 2 ** 32 + (low >>> 0);
    }
  }
}
