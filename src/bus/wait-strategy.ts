/**
 * How one consumer sleeps and how its producers wake it, over one shared word.
 * A producer pays for a wake-up only when the consumer really sleeps: else it
 * reads the word and goes on.
 *
 * Invariants
 *   W1. The consumer says that it sleeps before it looks a last time for mail;
 *       a producer publishes before it looks whether the consumer sleeps. All
 *       four steps are sequentially consistent, so one of the two always sees
 *       the other and no wake-up is lost.
 *   W2. Of many producers exactly one wakes: the one that exchanges the word.
 */

const awake = 0;
/** The consumer's thread stands still in `Atomics.wait`. */
const parked = 1;
/** The consumer went back to its event loop; only a doorbell reaches it. */
const listening = 2;

/**
 * Looks for mail before the thread gives its processor up: a few microseconds,
 * about what going to sleep and being woken would cost.
 */
const spins = 200;

export class SleepFlag {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #index: number;

  /** `index` is the position of the shared word in `words`. */
  constructor(words: Int32Array<SharedArrayBuffer>, index: number) {
    this.#words = words;
    this.#index = index;
  }

  /** Consumer: stands still until woken or `timeoutMs` passed; not at all when there is mail. */
  park(isEmpty: () => boolean, timeoutMs: number): void {
    for (let spin = 0; spin < spins; spin += 1) if (!isEmpty()) return;
    Atomics.store(this.#words, this.#index, parked);
    if (isEmpty()) Atomics.wait(this.#words, this.#index, parked, timeoutMs); // (W1)
    Atomics.store(this.#words, this.#index, awake);
  }

  /**
   * Consumer: asks for a doorbell at the next message. Answers false, and asks
   * for nothing, when there is mail already.
   */
  tryListen(isEmpty: () => boolean): boolean {
    Atomics.store(this.#words, this.#index, listening);
    if (isEmpty()) return true; // (W1)
    Atomics.store(this.#words, this.#index, awake);
    return false;
  }

  /** Producer, after a commit. Answers true when the consumer's doorbell has to ring. */
  wake(): boolean {
    if (Atomics.load(this.#words, this.#index) === awake) return false; // (W1)
    const state = Atomics.exchange(this.#words, this.#index, awake); // (W2)
    if (state === parked) Atomics.notify(this.#words, this.#index, 1);
    return state === listening;
  }
}
