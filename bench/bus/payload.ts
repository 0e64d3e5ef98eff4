/**
 * What the messages of the bus benchmark hold, and how a receiver checks them.
 *
 * The first word is a mark: producer and number. Every further word that is
 * written depends on the mark and on its place, so a payload that is torn,
 * shifted, mixed with another, lost, repeated or overtaken is seen. Stamping
 * and checking cost the same for every contender.
 *
 * Invariants
 *   P1. A receiver looks at every word that the sender stamped.
 *   P2. Numbers of one producer arrive without a gap and in order.
 */

/** Up to this length every word is stamped and checked. */
const denseWordsMax = 64;
/** Above it one word for each cache line. */
const lineWords = 16;
/** From these lengths on one for some lines, then for each page: else the memory would be measured instead. */
const manyLinesWords = 2 ** 13;
const someLinesWords = 256;
const longWords = 2 ** 18;
const pageWords = 1_024;

const numberBits = 26;
/** Messages that one producer may number in one sample. */
export const messagesMax = 2 ** numberBits;
/** Spreads marks over all bits, so that neighbours have no words in common. */
const spread = 0x9e3779b1;

function stride(words: number): number {
  if (words <= denseWordsMax) return 1;
  if (words < manyLinesWords) return lineWords;
  return words < longWords ? someLinesWords : pageWords;
}

/** Mark of message `number`, 0 to `messagesMax` − 1, of a producer from 0 to 31. */
export function markOf(producer: number, number: number): number {
  return producer * messagesMax + number;
}

/** Words of a payload inside a larger array. */
interface PayloadRange {
  readonly words: Int32Array;
  /** Index of the first word. */
  readonly first: number;
  readonly count: number;
}

/** Writes the payload with this mark into `count` words from `first` on. */
export function stamp({ words, first, count }: PayloadRange, mark: number): void {
  const base = Math.imul(mark, spread);
  const step = stride(count);
  words[first] = mark;
  for (let index = step; index < count; index += step) words[first + index] = (base + index) | 0;
}

/** Whether every word is what `stamp` wrote for the mark in the first one (P1). */
function isWhole(words: Int32Array, first: number, count: number): boolean {
  const base = Math.imul(words[first] ?? 0, spread);
  const step = stride(count);
  let difference = 0;
  for (let index = step; index < count; index += step) {
    difference |= (words[first + index] ?? 0) ^ (base + index);
  }
  return difference === 0;
}

/** Checks what arrives in one sample. Any deviation ends the benchmark: its figures would be void. */
export class Ledger {
  readonly #next: Int32Array;
  #received = 0;

  /** Expects the messages of producers 0 to `producers` − 1. */
  constructor(producers: number) {
    this.#next = new Int32Array(producers);
  }

  /** Messages checked so far. */
  get received(): number {
    return this.#received;
  }

  /**
   * Checks one payload and returns its mark.
   * @throws Error when it is not the next one of its producer, or damaged.
   */
  check(words: Int32Array, first: number, count: number): number {
    const mark = words[first] ?? -1;
    const producer = mark >>> numberBits;
    const number = mark & (messagesMax - 1);
    const expected = this.#next[producer];
    if (expected !== number) throw new Error(`message ${number} came instead of ${expected}`); // (P2)
    if (!isWhole(words, first, count)) throw new Error(`message ${number} is damaged`); // (P1)
    this.#next[producer] = number + 1;
    this.#received += 1;
    return mark;
  }
}
