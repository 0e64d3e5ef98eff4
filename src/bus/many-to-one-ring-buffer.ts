/**
 * Many producers, one consumer, over a SharedArrayBuffer. It exists because a
 * message through it costs a small part of a structured clone, and because a
 * full ring is a refusal that the producer sees at once.
 *
 * It must never be drained by two threads, and a producer slot must never be
 * used by two living threads.
 *
 * Invariants
 *   R1. Only the consumer moves the head, only claims move the tail
 *       (`ring-claims.ts`).
 *   R2. A message takes at most 1 / `ringMessageFraction` of the ring, so that it
 *       and the padding at the end of the ring always fit an empty one.
 *   R3. A record is visible only once its state is stored, which is last.
 *   R4. The state of every consumed record is cleared before the head that
 *       frees its slots is published, so a reused slot starts unpublished.
 *   R5. The head is published once for each batch.
 *   R6. While a producer holds a claim, its intent names it. What dead producers
 *       left is skipped, and nothing of a living one (`ring-gaps.ts`).
 *   R7. In a batch a producer claims a run of slots at once and divides it among
 *       its records. The state of the first slot publishes the run as a whole,
 *       before the producer claims anything else; no other slot of it has a
 *       state. What the consumer leaves of a run it names as a run again.
 *   R8. A consumer that ends inside a batch leaves taken records unpublished at
 *       the head, where the intents of living producers may still name them. So
 *       before another takes its place they withdraw them; then it is a gap.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { withdrawIntent } from './producer-intents.ts';
import {
  lengthField,
  runSlotsOf,
  runState,
  runStateMax,
  stateField,
  typeField,
  unpublished,
  wordsPerEntry,
} from './record-descriptor.ts';
import type { MessageHandler, RingBuffer } from './ring-buffer.ts';
import { refusedClaim } from './ring-buffer.ts';
import {
  headPosition,
  ringLayout,
  ringLayoutOf,
  sleepWord,
  slotBytes,
  tailPosition,
} from './ring-buffer-descriptor.ts';
import { RingClaims } from './ring-claims.ts';
import { RingGaps } from './ring-gaps.ts';
import { SharedWords } from './shared-words.ts';
import { defaultWaitStrategy, SleepFlag, type WaitStrategy } from './wait-strategy.ts';

/** An empty message still takes the slot that its entry belongs to. */
function slotsOf(lengthBytes: number): number {
  return lengthBytes === 0 ? 1 : Math.ceil(lengthBytes / slotBytes);
}

interface RingOptions {
  /** Slot of the thread that will claim, 0 to `limits.busThreadsMax` − 1. */
  readonly producer?: number;
  /** How `park` waits; the machine's default unless given. */
  readonly waitStrategy?: WaitStrategy;
  /** Replaces the access to the memory; for tests that interleave threads step by step. */
  readonly words?: SharedWords;
}

export class ManyToOneRingBuffer implements RingBuffer {
  readonly capacityBytes: number;
  readonly messageBytesMax: number;
  readonly bytes: Buffer;

  readonly #slots: number;
  readonly #entriesWord: number;
  readonly #words: SharedWords;
  readonly #gaps: RingGaps;
  readonly #sleep: SleepFlag;
  readonly #waitStrategy: WaitStrategy;
  readonly #claims: RingClaims;
  /** Slots of the run that a batch claims at once. */
  readonly #runSlotsMax: number;
  /** Producer's open claim, by itself or inside its run. */
  #claim: 'none' | 'single' | 'in-run' = 'none';
  /** Producer's run: its first slot, its next free one, and how many are left (R7). */
  #batching = false;
  #runFirst = 0;
  #runNext = 0;
  #runLeft = 0;
  /** Consumer's own count, ahead of the published head inside a batch, and the slot it stands for. */
  #head: number;
  #headSlot: number;
  #draining = false;
  /** Head at which the last drain found nothing. */
  #stuckAt = -1;

  /** Opens ring memory that `allocate` made; any number of threads may. */
  constructor(memory: SharedArrayBuffer, options: RingOptions = {}) {
    const layout = ringLayoutOf(memory);
    this.capacityBytes = layout.capacityBytes;
    this.messageBytesMax = layout.capacityBytes / limits.ringMessageFraction;
    this.bytes = Buffer.from(memory, layout.dataOffset, layout.capacityBytes);
    this.#slots = layout.slots;
    this.#entriesWord = layout.entriesWord;
    this.#words = options.words ?? new SharedWords(memory, layout.dataOffset);
    this.#gaps = new RingGaps(this.#words, layout.entriesWord, layout.slots);
    this.#sleep = new SleepFlag(this.#words, sleepWord);
    this.#waitStrategy = options.waitStrategy ?? defaultWaitStrategy();
    this.#head = Number(this.#words.loadPosition(headPosition));
    this.#headSlot = this.#head % this.#slots;
    this.#runSlotsMax = Math.min(limits.ringRunSlots, layout.slots / limits.ringMessageFraction);
    this.#claims = new RingClaims(this.#words, { ...layout, producer: options.producer });
  }

  /**
   * Memory of an empty ring; `capacityBytes` is a power of two from 1 KiB to
   * 1 GiB, `startSlots` what its positions begin with.
   */
  static allocate(capacityBytes: number, startSlots = 0): SharedArrayBuffer {
    const layout = ringLayout(capacityBytes);
    const memory = new SharedArrayBuffer(layout.totalBytes);
    const words = new SharedWords(memory, layout.dataOffset);
    words.storePosition(tailPosition, BigInt(startSlots));
    words.storePosition(headPosition, BigInt(startSlots));
    for (let producer = 0; producer < limits.busThreadsMax; producer += 1) {
      withdrawIntent(words, producer);
    }
    return memory;
  }

  tryClaim(type: number, lengthBytes: number): number {
    this.checkLength(lengthBytes);
    assert(lengthBytes >= 0 && (type | 0) === type, 'a claim has a length and a type of 32 bits');
    assert(this.#claim === 'none', 'a producer has one open claim at a time'); // (R6)
    const slot = this.#takeSlots(slotsOf(lengthBytes));
    if (slot === refusedClaim) return refusedClaim;
    const entry = this.#entryOf(slot);
    this.#words.write(entry + lengthField, lengthBytes);
    this.#words.write(entry + typeField, type);
    return slot * slotBytes;
  }

  /**
   * From here to `endBatch` messages cost less than half, for they are claimed
   * and published many at once: the consumer sees them at the end of the batch,
   * or somewhat earlier. What others claim behind them waits as well. So a batch
   * encodes, commits and ends, and calls nothing that may wait. It is followed
   * by one `wake`.
   */
  beginBatch(): void {
    this.#batching = true;
  }

  endBatch(): void {
    this.#batching = false;
    this.#publishRun();
  }

  /**
   * Whether an empty ring would take a message of `lengthBytes`.
   * @throws RuntimeError BUS_MESSAGE_TOO_LARGE when it would not.
   */
  checkLength(lengthBytes: number): void {
    if (lengthBytes <= this.messageBytesMax) return;
    throw new RuntimeError(
      'BUS_MESSAGE_TOO_LARGE',
      `A message of ${lengthBytes} bytes does not fit the bus, which takes ${this.messageBytesMax}; pass the payload through the arena.`,
      { details: { lengthBytes, messageBytesMax: this.messageBytesMax } },
    );
  }

  commit(index: number): void {
    const isSingle = this.#claim === 'single';
    this.#claim = 'none';
    if (!isSingle) return; // (R7): its entry says all already.
    const entry = this.#entryOf(index / slotBytes);
    this.#words.store(entry + stateField, this.#words.read(entry + lengthField) + 1); // (R3)
  }

  abort(index: number): void {
    const isSingle = this.#claim === 'single';
    this.#claim = 'none';
    const entry = this.#entryOf(index / slotBytes);
    const slots = slotsOf(this.#words.read(entry + lengthField));
    if (isSingle) this.#words.store(entry + stateField, -slots);
    else this.#words.write(entry + lengthField, -slots); // (R7)
  }

  /** Inside a handler of the same ring it does nothing and returns 0. */
  drain(handler: MessageHandler, limit: number): number {
    if (this.#draining) return 0;
    this.#draining = true;
    const headBefore = this.#head;
    const headMax = headBefore + this.#slots;
    let messages = 0;
    let runLeft = 0;
    try {
      while (messages < limit && this.#head < headMax) {
        const slot = this.#headSlot;
        const entry = this.#entryOf(slot);
        let lengthBytes = -1;
        if (runLeft > 0) {
          lengthBytes = this.#words.read(entry + lengthField);
          const slots = lengthBytes < 0 ? -lengthBytes : slotsOf(lengthBytes);
          runLeft -= slots;
          assert(runLeft >= 0, 'the records of a run fill it');
          // The count moves first, so that a handler that throws loses only its own message.
          this.#advance(slots);
        } else {
          const state = this.#words.load(entry + stateField);
          if (state === unpublished) {
            if (messages > 0 || !this.#skipGap()) break;
            continue;
          }
          this.#words.write(entry + stateField, unpublished); // (R4)
          if (state <= runStateMax) {
            runLeft = runSlotsOf(state);
            continue;
          }
          lengthBytes = state - 1;
          this.#advance(state < 0 ? -state : slotsOf(lengthBytes));
        }
        if (lengthBytes < 0) continue;
        messages += 1;
        handler(this.#words.read(entry + typeField), this.bytes, slot * slotBytes, lengthBytes);
      }
    } finally {
      if (runLeft > 0) {
        const entry = this.#entryOf(this.#headSlot);
        this.#words.write(entry + stateField, runState(runLeft)); // (R7)
      }
      if (this.#head !== headBefore) {
        this.#words.storePosition(headPosition, BigInt(this.#head)); // (R5)
      }
      this.#draining = false;
    }
    return messages;
  }

  /**
   * For whoever knows that the thread of a producer slot has ended: its open
   * claims are nobody's from now on, so the consumer will skip them. True: the
   * caller has to ring the consumer's doorbell, if it has one.
   */
  producerEnded(producer: number): boolean {
    withdrawIntent(this.#words, producer); // (R6)
    // The thread may have ended between its last commit and its wake, and also inside that
    // wake: the consumer then counts as awake and sleeps all the same.
    this.#sleep.wakeAnyway();
    return true;
  }

  /** Producer: another consumer takes the place of one that has ended (R8). */
  consumerReplaced(): void {
    assert(
      this.#claim === 'none' && !this.#batching,
      'a claim is open only while a frame is written',
    );
    this.#claims.withdrawIntent();
    this.#sleep.wakeAnyway();
  }

  /** Claims of ended producers that the consumer skipped since the ring was made. */
  gapsSkipped(): { readonly gaps: number; readonly bytes: number } {
    return this.#gaps.counted();
  }

  producerPosition(): number {
    return Number(this.#words.loadPosition(tailPosition)) * slotBytes;
  }

  consumerPosition(): number {
    return Number(this.#words.loadPosition(headPosition)) * slotBytes;
  }

  depthBytes(): number {
    // The head first: read second it could have passed the tail that was read.
    const consumed = this.consumerPosition();
    return Math.min(this.producerPosition() - consumed, this.capacityBytes);
  }

  /** Consumer: waits for a producer's wake, at most `timeoutMs`; returns at once when there is mail. */
  park(timeoutMs: number): void {
    this.#waitStrategy.wait(this.#mail, this.#sleep, timeoutMs);
  }

  /** Consumer on an event loop: asks for a doorbell; false when there is mail to drain first. */
  tryListen(): boolean {
    return this.#sleep.tryListen(this.#mail.isEmpty);
  }

  /** Consumer on an event loop: needs no doorbell from now on, because it looks by itself. */
  stopListening(): void {
    this.#sleep.stopListening();
  }

  /**
   * Producer, after `commit`, after `abort`, and after a claim that was refused
   * (its intent may have hidden a gap until then): wakes a parked consumer. True
   * when the caller has to ring its doorbell.
   */
  wake(): boolean {
    return this.#sleep.wake();
  }

  readonly #mail = {
    hasMail: (): boolean => this.#headState() !== unpublished,
    /** Nothing is ready, and what is claimed at the head belongs to a producer that lives. */
    isEmpty: (): boolean =>
      this.#headState() === unpublished && this.#gaps.endAt(this.#head) === null,
  };

  #headState(): number {
    return this.#words.load(this.#entryOf(this.#headSlot) + stateField);
  }

  #entryOf(slot: number): number {
    return this.#entriesWord + slot * wordsPerEntry;
  }

  #advance(slots: number): void {
    this.#head += slots;
    this.#headSlot = (this.#headSlot + slots) & (this.#slots - 1);
  }

  /** The first of `wanted` free slots in a row that are this producer's now, or `refusedClaim`. */
  #takeSlots(wanted: number): number {
    if (wanted > this.#runLeft) {
      this.#publishRun(); // (R7)
      if (!this.#batching || !this.#tryOpenRun(wanted)) {
        const slot = this.#claims.tryTake(wanted);
        if (slot !== refusedClaim) this.#claim = 'single';
        return slot;
      }
    }
    this.#claim = 'in-run';
    const slot = this.#runNext;
    this.#runNext += wanted;
    this.#runLeft -= wanted;
    return slot;
  }

  #tryOpenRun(wanted: number): boolean {
    if (wanted >= this.#runSlotsMax) return false;
    const slot = this.#claims.tryTake(this.#runSlotsMax);
    if (slot === refusedClaim) return false;
    this.#runFirst = slot;
    this.#runNext = slot;
    this.#runLeft = this.#runSlotsMax;
    return true;
  }

  #publishRun(): void {
    const taken = this.#runNext - this.#runFirst;
    if (taken === 0) return;
    if (this.#runLeft > 0) {
      this.#words.write(this.#entryOf(this.#runNext) + lengthField, -this.#runLeft);
    }
    const state = runState(taken + this.#runLeft);
    this.#words.store(this.#entryOf(this.#runFirst) + stateField, state); // (R3)
    this.#runFirst = this.#runNext;
    this.#runLeft = 0;
  }

  /**
   * Moves the head over what dead producers left there; false when there is no
   * such gap. Most claims are committed a moment later, so only a drain that
   * finds the head where the last one got stuck looks closer.
   */
  #skipGap(): boolean {
    if (this.#stuckAt !== this.#head) {
      this.#stuckAt = this.#head;
      return false;
    }
    const end = this.#gaps.endAt(this.#head);
    if (end === null) return false;
    this.#gaps.count(end - this.#head);
    this.#advance(end - this.#head);
    return true;
  }
}
