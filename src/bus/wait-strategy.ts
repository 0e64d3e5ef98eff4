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
import { availableParallelism } from 'node:os';
import type { SharedWords } from './shared-words.ts';

const awake = 0;
/** The consumer's thread stands still in `Atomics.wait`. */
const parked = 1;
/** The consumer went back to its event loop; only a doorbell reaches it. */
const listening = 2;

export class SleepFlag {
  readonly #words: SharedWords;
  readonly #word: number;

  constructor(words: SharedWords, word: number) {
    this.#words = words;
    this.#word = word;
  }

  /** Consumer: stands still until woken or `timeoutMs` passed; not at all when there is mail. */
  park(isEmpty: () => boolean, timeoutMs: number): void {
    this.#words.store(this.#word, parked);
    if (isEmpty()) this.#words.wait(this.#word, parked, timeoutMs); // (W1)
    this.#words.store(this.#word, awake);
  }

  /**
   * Consumer: asks for a doorbell at the next message. Answers false, and asks
   * for nothing, when there is mail already.
   */
  tryListen(isEmpty: () => boolean): boolean {
    this.#words.store(this.#word, listening);
    if (isEmpty()) return true; // (W1)
    this.#words.store(this.#word, awake);
    return false;
  }

  /** Consumer: takes the asking back, because it looks by itself for a while. */
  stopListening(): void {
    if (this.#words.load(this.#word) === listening) this.#words.store(this.#word, awake);
  }

  /** For the end of a producer, which may have come in the middle of `wake`; the doorbell has to ring as well. */
  wakeAnyway(): void {
    this.#words.store(this.#word, awake);
    this.#words.notify(this.#word);
  }

  /** Producer, after a commit. Answers true when the consumer's doorbell has to ring. */
  wake(): boolean {
    if (this.#words.load(this.#word) === awake) return false; // (W1)
    const state = this.#words.exchange(this.#word, awake); // (W2)
    if (state === parked) this.#words.notify(this.#word);
    return state === listening;
  }
}

/** How a consumer without an event loop waits for mail. */
export interface WaitStrategy {
  /**
   * Returns when there may be mail, at the latest after `timeoutMs`.
   * @param hasMail cheap and callable often; may miss what `isEmpty` sees.
   */
  wait(mail: { hasMail(): boolean; isEmpty(): boolean }, sleep: SleepFlag, timeoutMs: number): void;
}

/** Gives the processor up at once: right where nothing else could run meanwhile. */
export class ParkStrategy implements WaitStrategy {
  wait(mail: { isEmpty(): boolean }, sleep: SleepFlag, timeoutMs: number): void {
    sleep.park(mail.isEmpty, timeoutMs);
  }
}

/** Looks for mail for a while before it gives the processor up. */
export class SpinThenParkStrategy implements WaitStrategy {
  readonly #spins: number;

  /** `spins` looks, each followed by a pause of the processor of about 40 ns. */
  constructor(spins: number) {
    this.#spins = spins;
  }

  wait(
    mail: { hasMail(): boolean; isEmpty(): boolean },
    sleep: SleepFlag,
    timeoutMs: number,
  ): void {
    for (let spin = 0; spin < this.#spins; spin += 1) {
      if (mail.hasMail()) return;
      Atomics.pause();
    }
    sleep.park(mail.isEmpty, timeoutMs);
  }
}

/** About what going to sleep and being woken would cost. */
const spins = 200;

/** The strategy for this machine: with one processor the producer could not run while a consumer spins. */
export function defaultWaitStrategy(): WaitStrategy {
  return availableParallelism() > 1 ? new SpinThenParkStrategy(spins) : new ParkStrategy();
}
