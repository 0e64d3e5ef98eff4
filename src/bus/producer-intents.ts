/**
 * What each producer of a ring claims, or is about to: its intent. Intents tell
 * the consumer, exactly and without a clock, whether an unpublished record at
 * the head belongs to a producer that lives.
 *
 * Invariants
 *   I1. While a producer holds a claim, its intent names the claim's slots.
 *   I2. An intent is named after the tail was read and before the CAS that
 *       claims, so who sees a tail sees the intents of all claims below it.
 *   I3. An intent moves on by a sequentially consistent store after the states
 *       of the claim before were stored, so who sees it gone sees them.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { intentWordOf, noIntent } from './ring-buffer-descriptor.ts';
import type { SharedWords } from './shared-words.ts';

const wordRange = 2 ** 32;

/** Offsets inside an intent, in words. */
const lowField = 0;
const highField = 1;
const slotsField = 2;

/** The intent of one producer, for itself. */
export class ProducerIntent {
  readonly #words: SharedWords;
  readonly #word: number;
  /** What the shared words hold. */
  #high = noIntent;
  #slots = 1;

  /** A claim that an earlier user of the producer slot left open is nobody's from now on. */
  constructor(words: SharedWords, producer: number) {
    assert(
      Number.isInteger(producer) && producer >= 0 && producer < limits.busThreadsMax,
      `not a producer slot: ${producer}`,
    );
    this.#words = words;
    this.#word = intentWordOf(producer);
    withdrawIntent(words, producer);
    words.store(this.#word + slotsField, this.#slots);
  }

  /**
   * Names the slots from `position` on (I2). One record counts as one slot,
   * however long: the head only ever stands at its start.
   */
  name(position: number, slots: number): void {
    if (slots !== this.#slots) {
      this.#words.store(this.#word + slotsField, slots); // (I3)
      this.#slots = slots;
    }
    this.#words.store(this.#word + lowField, position | 0); // (I3)
    const high = Math.floor(position / wordRange);
    if (high === this.#high) return;
    this.#words.write(this.#word + highField, high); // The CAS publishes it.
    this.#high = high;
  }

  /** For a producer that was refused: it claims nothing, and must not seem to. */
  withdraw(): void {
    this.#words.store(this.#word + highField, noIntent);
    this.#high = noIntent;
  }
}

/** Takes back the intent of a producer that has ended. */
export function withdrawIntent(words: SharedWords, producer: number): void {
  words.store(intentWordOf(producer) + highField, noIntent);
}

/**
 * Where slots that a living producer awaits begin at or behind `head`, both in
 * slots: `head` itself when it lies inside such slots, `tail` when there are none.
 */
export function nextAwaited(words: SharedWords, head: number, tail: number): number {
  let next = tail;
  for (let producer = 0; producer < limits.busThreadsMax; producer += 1) {
    const word = intentWordOf(producer);
    // The high word first: it changes last, and says whether there is an intent at all.
    const high = words.load(word + highField);
    if (high === noIntent) continue;
    const start = high * wordRange + (words.load(word + lowField) >>> 0);
    if (start >= next) continue;
    if (start > head) next = start;
    else if (head < start + words.load(word + slotsField)) return head;
  }
  return next;
}
