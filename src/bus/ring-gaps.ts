/**
 * What dead producers left in a ring: claims that nobody will ever publish. The
 * consumer asks where such a gap ends, and counts those that it skips.
 *
 * Invariants
 *   G1. An unpublished record at the head that no intent of a producer names
 *       belongs to nobody who lives, and so does everything up to the next
 *       position that is published or that an intent names. It is read in the
 *       order that makes this exact: tail, intents, states.
 */
import { nextIntent } from './producer-intents.ts';
import { stateField, unpublished, wordsPerEntry } from './record-descriptor.ts';
import { gapSlotsWord, gapsWord, slotBytes, tailPosition } from './ring-buffer-descriptor.ts';
import type { SharedWords } from './shared-words.ts';

export class RingGaps {
  readonly #words: SharedWords;
  readonly #entriesWord: number;
  readonly #slotMask: number;

  /** Of a ring with `slots` slots, a power of two, whose entries begin at `entriesWord`. */
  constructor(words: SharedWords, entriesWord: number, slots: number) {
    this.#words = words;
    this.#entriesWord = entriesWord;
    this.#slotMask = slots - 1;
  }

  /**
   * Where the gap at `head` ends, both in slots; null when the record there is
   * published, awaited or not claimed (G1).
   */
  endAt(head: number): number | null {
    const tail = Number(this.#words.loadPosition(tailPosition));
    if (tail === head) return null;
    let end = nextIntent(this.#words, head, tail);
    for (let position = head; position < end; position += 1) {
      const entry = this.#entriesWord + (position & this.#slotMask) * wordsPerEntry;
      if (this.#words.load(entry + stateField) !== unpublished) end = position;
    }
    return end === head ? null : end;
  }

  /** Consumer: a gap of so many slots was skipped. */
  count(slots: number): void {
    this.#words.add(gapsWord, 1);
    this.#words.add(gapSlotsWord, slots);
  }

  /** All that were skipped since the ring was made. */
  counted(): { readonly gaps: number; readonly bytes: number } {
    return {
      gaps: this.#words.load(gapsWord) >>> 0,
      bytes: (this.#words.load(gapSlotsWord) >>> 0) * slotBytes,
    };
  }
}
