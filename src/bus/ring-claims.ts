/**
 * How producers share out the slots of a ring: by moving the tail, each over
 * slots in a row that are its own from then on.
 *
 * Invariants
 *   C1. The tail moves by CAS alone and its 64 bits never hold the same value
 *       twice.
 *   C2. Slots in a row never wrap: padding, claimed by itself, fills the gap at
 *       the end.
 *   C3. A producer names what it is about to claim before the CAS, and nothing
 *       once it was refused.
 */
import { assert } from '../kernel/assert.ts';
import { ProducerIntent } from './producer-intents.ts';
import { stateField, wordsPerEntry } from './record-descriptor.ts';
import { refusedClaim } from './ring-buffer.ts';
import { headPosition, tailPosition } from './ring-buffer-descriptor.ts';
import type { SharedWords } from './shared-words.ts';

/** Turning a number into a bigint costs twice as much as the CAS that needs it; most claims are short. */
const shortClaims: readonly bigint[] = Array.from({ length: 257 }, (_, slots) => BigInt(slots));

function bigSlots(slots: number): bigint {
  return shortClaims[slots] ?? BigInt(slots);
}

interface RingPlace {
  readonly slots: number;
  readonly entriesWord: number;
  /** Slot of the producer; undefined for a ring that only consumes. */
  readonly producer: number | undefined;
}

export class RingClaims {
  readonly #words: SharedWords;
  readonly #slots: number;
  readonly #entriesWord: number;
  readonly #intent: ProducerIntent | null;
  /** Memory of the tail, which may be behind; as a number too. */
  #tailSeen: bigint;
  #tail: number;
  /** Memory of the head; the true one is never behind it. */
  #headSeen: number;

  constructor(words: SharedWords, { slots, entriesWord, producer }: RingPlace) {
    this.#words = words;
    this.#slots = slots;
    this.#entriesWord = entriesWord;
    this.#headSeen = Number(words.loadPosition(headPosition));
    this.#tailSeen = words.loadPosition(tailPosition);
    this.#tail = Number(this.#tailSeen);
    this.#intent = producer === undefined ? null : new ProducerIntent(words, producer);
  }

  /** The first of `wanted` slots in a row that are the producer's now, or `refusedClaim`. */
  tryTake(wanted: number): number {
    for (;;) {
      const slot = this.#tail & (this.#slots - 1);
      const gap = this.#slots - slot < wanted ? this.#slots - slot : 0; // (C2)
      if (!this.#hasRoom(gap + wanted)) {
        this.#intent?.withdraw(); // (C3)
        return refusedClaim;
      }
      // A failed CAS means that another producer went ahead, so the loop as a whole makes progress.
      if (!this.#advanceTail(gap === 0 ? wanted : gap)) continue;
      if (gap === 0) return slot;
      this.#words.store(this.#entriesWord + slot * wordsPerEntry + stateField, -gap);
    }
  }

  /** For a producer that holds no claim: its intent, which still names its last one, names nothing. */
  withdrawIntent(): void {
    this.#intent?.withdraw();
  }

  /** Claims what lies behind the seen tail; false when others moved it first. */
  #advanceTail(slots: number): boolean {
    assert(this.#intent !== null, 'only a ring that was opened with a producer slot claims');
    this.#intent.name(this.#tail); // (C3)
    const next = this.#tailSeen + bigSlots(slots);
    const found = this.#words.compareExchangePosition(tailPosition, this.#tailSeen, next); // (C1)
    const claimed = found === this.#tailSeen;
    this.#tailSeen = claimed ? next : found;
    this.#tail = claimed ? this.#tail + slots : Number(found);
    return claimed;
  }

  /**
   * Whether the ring has room for `slots` more behind the seen tail; the shared
   * head is read only in doubt. A seen tail that is old refuses rightly: behind
   * the true one there is no more room than behind it.
   */
  #hasRoom(slots: number): boolean {
    if (this.#tail + slots - this.#headSeen <= this.#slots) return true;
    this.#headSeen = Number(this.#words.loadPosition(headPosition));
    return this.#tail + slots - this.#headSeen <= this.#slots;
  }
}
