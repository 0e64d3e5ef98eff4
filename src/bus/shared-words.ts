/**
 * Shared memory as words. It exists so that an algorithm over shared memory
 * names each of its accesses here and nowhere else: a test can put itself
 * between any two of them.
 *
 * `read` and `write` are plain and may be seen late by other threads; all
 * others are sequentially consistent, and everything that a thread wrote
 * before one of them is seen by whoever sees its effect.
 *
 * A word is 32 bits wide, a position 64; their indexes count from the start
 * of the memory in units of their own width.
 */
export class SharedWords {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #positions: BigInt64Array<SharedArrayBuffer>;

  /** `lengthBytes` is a multiple of 8. */
  constructor(memory: SharedArrayBuffer, lengthBytes: number) {
    this.#words = new Int32Array(memory, 0, lengthBytes / 4);
    this.#positions = new BigInt64Array(memory, 0, lengthBytes / 8);
  }

  read(word: number): number {
    return this.#words[word] ?? 0;
  }

  write(word: number, value: number): void {
    this.#words[word] = value;
  }

  load(word: number): number {
    return Atomics.load(this.#words, word);
  }

  store(word: number, value: number): void {
    Atomics.store(this.#words, word, value);
  }

  /** Stores the value and returns the one before it. */
  exchange(word: number, value: number): number {
    return Atomics.exchange(this.#words, word, value);
  }

  /** Stores `next` if the word is `expected`; returns what it was. */
  compareExchange(word: number, expected: number, next: number): number {
    return Atomics.compareExchange(this.#words, word, expected, next);
  }

  /** Adds to the word and returns its value before. */
  add(word: number, value: number): number {
    return Atomics.add(this.#words, word, value);
  }

  /** Stands still while the word holds `value`, at most `timeoutMs`. */
  wait(word: number, value: number, timeoutMs: number): void {
    Atomics.wait(this.#words, word, value, timeoutMs);
  }

  /** Wakes one thread that waits at the word. */
  notify(word: number): void {
    Atomics.notify(this.#words, word, 1);
  }

  loadPosition(index: number): bigint {
    return Atomics.load(this.#positions, index);
  }

  storePosition(index: number, value: bigint): void {
    Atomics.store(this.#positions, index, value);
  }

  /** Adds to the position and returns its value before. */
  addPosition(index: number, value: bigint): bigint {
    return Atomics.add(this.#positions, index, value);
  }

  /** Stores `next` if the position is `expected`; returns what it was. */
  compareExchangePosition(index: number, expected: bigint, next: bigint): bigint {
    return Atomics.compareExchange(this.#positions, index, expected, next);
  }
}
