/**
 * What each producer of a ring claims, or is about to: its intent. Intents tell
 * the consumer, exactly and without a clock, whether an unpublished record at
 * the head belongs to a producer that lives.
 *
 * Invariants
 *   I1. While a producer holds a claim, its intent names where the claim begins;
 *       an unpublished head never stands anywhere else in a claim.
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

/** The intent of one producer, for itself. */
export class ProducerIntent {
  readonly #words: SharedWords;
  readonly #word: number;
  /** What the shared word holds. */
  #high = noIntent;

  /** A claim that an earlier user of the producer slot left open is nobody's from now on. */
  constructor(words: SharedWords, producer: number) {
    assert(
      Number.isInteger(producer) && producer >= 0 && producer < limits.busThreadsMax,
      `not a producer slot: ${producer}`,
    );
    this.#words = words;
    this.#word = intentWordOf(producer);
    withdrawIntent(words, producer);
  }

  /** Names where the claim will begin, in slots (I2). */
  name(position: number): void {
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

/** The first position from `head` on, in slots, that a living producer names; `tail` when there is none. */
export function nextIntent(words: SharedWords, head: number, tail: number): number {
  let next = tail;
  for (let producer = 0; producer < limits.busThreadsMax; producer += 1) {
    const word = intentWordOf(producer);
    // The high word first: it changes last, and says whether there is an intent at all.
    const high = words.load(word + highField);
    if (high === noIntent) continue;
    const start = high * wordRange + (words.load(word + lowField) >>> 0);
    if (start >= head && start < next) next = start;
  }
  return next;
}
