/**
 * What the journal worker tells every thread, in shared memory: how far the
 * log is durable (in the relaxed mode: committed), and whether it failed. Reading it costs a few atomic loads.
 *
 * ```
 *   int32  0 generation   odd while the numbers change
 *          1 failed       1 once the journal stopped for good
 *          2 stop         1 once the owner asks the worker to end
 *          3 forget       1 while the owner wants texts that were written forgotten
 *   bigint64 at byte 64:  0 ring position, 1 segment, 2 offset, 3 sequence
 * ```
 *
 * Invariants
 *   P1. One thread publishes. A reader that saw the generation change reads
 *       again, so the four numbers always belong together.
 *   P2. The generation changes at every publication, so a producer that waits
 *       for it misses none.
 */
import type { CommittedEnd } from './journal-writer.ts';

const generationWord = 0;
const failedWord = 1;
const stopWord = 2;
const forgetWord = 3;
const numbersOffset = 64;
const numbers = 4;

export interface Durable extends CommittedEnd {
  /** Everything that producers put into the ring before this position is durable, or was refused. */
  readonly ringPosition: number;
}

export class JournalProgress {
  readonly #words: Int32Array;
  readonly #numbers: BigInt64Array;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(numbersOffset + numbers * 8);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, 4);
    this.#numbers = new BigInt64Array(memory, numbersOffset, numbers);
  }

  publish(durable: Durable): void {
    Atomics.add(this.#words, generationWord, 1);
    Atomics.store(this.#numbers, 0, BigInt(durable.ringPosition));
    Atomics.store(this.#numbers, 1, BigInt(durable.segment));
    Atomics.store(this.#numbers, 2, BigInt(durable.offset));
    Atomics.store(this.#numbers, 3, BigInt(durable.sequence));
    this.#finish();
  }

  read(): Durable {
    for (;;) {
      const before = this.generation();
      const durable = {
        ringPosition: Number(Atomics.load(this.#numbers, 0)),
        segment: Number(Atomics.load(this.#numbers, 1)),
        offset: Number(Atomics.load(this.#numbers, 2)),
        sequence: Number(Atomics.load(this.#numbers, 3)),
      };
      // The publisher changes four words and blocks on nothing, so this ends (P1).
      if ((before & 1) === 0 && before === this.generation()) return durable;
    }
  }

  ringPosition(): number {
    return Number(Atomics.load(this.#numbers, 0));
  }

  generation(): number {
    return Atomics.load(this.#words, generationWord);
  }

  /** Sleeps until something is published after `generation`, at most `timeoutMs`. */
  wait(generation: number, timeoutMs: number): void {
    Atomics.wait(this.#words, generationWord, generation, timeoutMs);
  }

  fail(): void {
    Atomics.store(this.#words, failedWord, 1);
    Atomics.add(this.#words, generationWord, 1);
    this.#finish();
  }

  failed(): boolean {
    return Atomics.load(this.#words, failedWord) === 1;
  }

  requestStop(): void {
    Atomics.store(this.#words, stopWord, 1);
  }

  stopRequested(): boolean {
    return Atomics.load(this.#words, stopWord) === 1;
  }

  /** Asks the worker to write every text again that comes from now on. */
  requestForget(): void {
    Atomics.store(this.#words, forgetWord, 1);
  }

  forgetRequested(): boolean {
    return Atomics.load(this.#words, forgetWord) === 1;
  }

  forgotten(): void {
    Atomics.store(this.#words, forgetWord, 0);
  }

  #finish(): void {
    Atomics.add(this.#words, generationWord, 1);
    Atomics.notify(this.#words, generationWord);
  }
}
