/**
 * What a thread does in one piece: another thread that wants to terminate it
 * waits until it is outside, and it does not get in again afterwards.
 *
 * Node aborts the whole process when a thread is terminated between the making
 * of a zstd handle and its first use, so hosts compress in such a section.
 *
 * Invariants
 *   U1. The word goes from open to inside by the thread alone, from open to shut
 *       by whoever terminates it, both by compare-and-swap: never both at once.
 *   U2. A thread that finds it shut waits for its end and does nothing more.
 */
import { assert } from '../kernel/assert.ts';

const open = 0;
const inside = 1;
const shut = 2;

export class UnbrokenSection {
  readonly memory: SharedArrayBuffer;
  readonly #word: Int32Array<SharedArrayBuffer>;

  constructor(memory = new SharedArrayBuffer(4)) {
    this.memory = memory;
    this.#word = new Int32Array(memory);
  }

  /** Does the work in one piece. Not to be nested. */
  run<Result>(work: () => Result): Result {
    for (;;) {
      const word = Atomics.compareExchange(this.#word, 0, open, inside);
      if (word === open) break;
      assert(word === shut, 'a section is not nested');
      Atomics.wait(this.#word, 0, shut); // (U2)
    }
    try {
      return work();
    } finally {
      Atomics.store(this.#word, 0, open);
      Atomics.notify(this.#word, 0);
    }
  }

  /**
   * Resolves true once the thread is outside and stays so; false when it was
   * still inside after the time, in ms.
   */
  async shut(waitMsMax: number): Promise<boolean> {
    const deadline = performance.now() + waitMsMax;
    for (;;) {
      const word = Atomics.compareExchange(this.#word, 0, open, shut);
      if (word !== inside) return true; // (U1)
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await Atomics.waitAsync(this.#word, 0, inside, leftMs).value;
    }
  }
}
