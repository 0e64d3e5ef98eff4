/**
 * Many producers, one consumer, over a SharedArrayBuffer. It exists because a
 * message through it costs a small part of a structured clone, and because a
 * full ring is a refusal that the producer sees at once.
 *
 * It must never be drained by two threads, and no thread may be terminated
 * between claim and commit: the messages behind an open claim wait for it.
 *
 * Invariants
 *   R1. Only the consumer moves the head; the tail moves by CAS alone and its
 *       64 bits never hold the same value twice.
 *   R2. A record never wraps: a padding record fills the gap at the end. A
 *       message takes at most 1 / `ringMessageFraction` of the ring, so gap and
 *       message together always fit an empty one.
 *   R3. A record is visible only once its state is stored, which is last.
 *   R4. The state of every consumed record is cleared before the head that
 *       frees its slots is published, so a reused slot starts unpublished.
 *   R5. The head is published once for each batch.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import {
  lengthField,
  stateField,
  typeField,
  unpublished,
  wordsPerEntry,
} from './record-descriptor.ts';
import type { MessageHandler, RingBuffer } from './ring-buffer.ts';
import { refusedClaim } from './ring-buffer.ts';
import {
  headWord,
  ringLayout,
  ringLayoutOf,
  sleepWord,
  slotBytes,
  tailWord,
} from './ring-buffer-descriptor.ts';
import { SleepFlag } from './wait-strategy.ts';

/** An empty message still takes the slot that its entry belongs to. */
function slotsOf(lengthBytes: number): number {
  return lengthBytes === 0 ? 1 : Math.ceil(lengthBytes / slotBytes);
}

export class ManyToOneRingBuffer implements RingBuffer {
  readonly capacityBytes: number;
  readonly messageBytesMax: number;
  readonly bytes: Buffer;

  readonly #slots: number;
  readonly #positions: BigInt64Array<SharedArrayBuffer>;
  readonly #entries: Int32Array<SharedArrayBuffer>;
  readonly #sleep: SleepFlag;
  /** Producer's memory of the head; the true one is never behind it. */
  #headSeen: number;
  /** Consumer's own count, ahead of the published head inside a batch, and the slot it stands for. */
  #head: number;
  #headSlot: number;
  #draining = false;

  /** Opens ring memory that `allocate` made; any number of threads may. */
  constructor(memory: SharedArrayBuffer) {
    const layout = ringLayoutOf(memory);
    this.capacityBytes = layout.capacityBytes;
    this.messageBytesMax = layout.capacityBytes / limits.ringMessageFraction;
    this.bytes = Buffer.from(memory, layout.dataOffset, layout.capacityBytes);
    this.#slots = layout.slots;
    this.#positions = new BigInt64Array(memory, 0, layout.entriesOffset / 8);
    this.#entries = new Int32Array(memory, layout.entriesOffset, layout.slots * wordsPerEntry);
    this.#sleep = new SleepFlag(new Int32Array(memory, 0, layout.entriesOffset / 4), sleepWord);
    this.#head = Number(Atomics.load(this.#positions, headWord));
    this.#headSlot = this.#head % this.#slots;
    this.#headSeen = this.#head;
  }

  /** Memory of an empty ring; `capacityBytes` is a power of two from 1 KiB to 1 GiB. */
  static allocate(capacityBytes: number): SharedArrayBuffer {
    return new SharedArrayBuffer(ringLayout(capacityBytes).totalBytes);
  }

  tryClaim(type: number, lengthBytes: number): number {
    this.checkLength(lengthBytes);
    assert(lengthBytes >= 0 && (type | 0) === type, 'a claim has a length and a type of 32 bits');
    const wanted = slotsOf(lengthBytes);
    // A failed CAS means that another producer went ahead, so the loop as a whole makes progress.
    for (;;) {
      const tail = Atomics.load(this.#positions, tailWord);
      const slot = this.#slotOf(tail);
      const gap = this.#slots - slot < wanted ? this.#slots - slot : 0; // (R2)
      if (!this.#hasRoom(Number(tail) + gap + wanted)) return refusedClaim;
      const claimed = Atomics.compareExchange(
        this.#positions,
        tailWord,
        tail,
        tail + BigInt(gap + wanted),
      ); // (R1)
      if (claimed !== tail) continue;
      if (gap > 0) Atomics.store(this.#entries, slot * wordsPerEntry + stateField, -gap);
      const start = gap > 0 ? 0 : slot;
      this.#entries[start * wordsPerEntry + lengthField] = lengthBytes;
      this.#entries[start * wordsPerEntry + typeField] = type;
      return start * slotBytes;
    }
  }

  /**
   * Whether an empty ring would take a message of `lengthBytes`.
   * @throws RuntimeError BUS_MESSAGE_TOO_LARGE when it would not.
   */
  checkLength(lengthBytes: number): void {
    if (lengthBytes <= this.messageBytesMax) return;
    throw new RuntimeError(
      'BUS_MESSAGE_TOO_LARGE',
      `A message of ${lengthBytes} bytes does not fit the bus, which takes ${this.messageBytesMax}; pass the payload as a blob.`,
      { details: { lengthBytes, messageBytesMax: this.messageBytesMax } },
    );
  }

  commit(index: number): void {
    const entry = (index / slotBytes) * wordsPerEntry;
    const lengthBytes = this.#entries[entry + lengthField] ?? 0;
    Atomics.store(this.#entries, entry + stateField, lengthBytes + 1); // (R3)
  }

  abort(index: number): void {
    const entry = (index / slotBytes) * wordsPerEntry;
    const lengthBytes = this.#entries[entry + lengthField] ?? 0;
    Atomics.store(this.#entries, entry + stateField, -slotsOf(lengthBytes));
  }

  /** Inside a handler of the same ring it does nothing and returns 0. */
  drain(handler: MessageHandler, limit: number): number {
    if (this.#draining) return 0;
    this.#draining = true;
    const headBefore = this.#head;
    const headMax = headBefore + this.#slots;
    let messages = 0;
    try {
      while (messages < limit && this.#head < headMax) {
        const slot = this.#headSlot;
        const entry = slot * wordsPerEntry;
        const state = Atomics.load(this.#entries, entry + stateField);
        if (state === unpublished) break;
        this.#entries[entry + stateField] = unpublished; // (R4)
        if (state < 0) {
          this.#advance(-state);
          continue;
        }
        // The count moves first, so that a handler that throws loses only its own message.
        this.#advance(slotsOf(state - 1));
        messages += 1;
        handler(this.#entries[entry + typeField] ?? 0, this.bytes, slot * slotBytes, state - 1);
      }
    } finally {
      if (this.#head !== headBefore) {
        Atomics.store(this.#positions, headWord, BigInt(this.#head)); // (R5)
      }
      this.#draining = false;
    }
    return messages;
  }

  producerPosition(): number {
    return Number(Atomics.load(this.#positions, tailWord)) * slotBytes;
  }

  consumerPosition(): number {
    return Number(Atomics.load(this.#positions, headWord)) * slotBytes;
  }

  depthBytes(): number {
    // The head first: read second it could have passed the tail that was read.
    const consumed = this.consumerPosition();
    return Math.min(this.producerPosition() - consumed, this.capacityBytes);
  }

  /** Consumer: stands still until a producer wakes it, at most `timeoutMs`; returns at once when there is mail. */
  park(timeoutMs: number): void {
    this.#sleep.park(this.#isEmpty, timeoutMs);
  }

  /** Consumer on an event loop: asks for a doorbell; false when there is mail to drain first. */
  tryListen(): boolean {
    return this.#sleep.tryListen(this.#isEmpty);
  }

  /** Producer, after `commit`: wakes a parked consumer. True when the caller has to ring its doorbell. */
  wake(): boolean {
    return this.#sleep.wake();
  }

  /** Consumer: no message is ready. One that is claimed and not committed is not. */
  readonly #isEmpty = (): boolean => {
    const entry = this.#headSlot * wordsPerEntry;
    return Atomics.load(this.#entries, entry + stateField) === unpublished;
  };

  #advance(slots: number): void {
    this.#head += slots;
    this.#headSlot = (this.#headSlot + slots) & (this.#slots - 1);
  }

  #slotOf(position: bigint): number {
    // The capacity is a power of two, so the low 32 bits hold the slot.
    return Number(BigInt.asUintN(32, position)) & (this.#slots - 1);
  }

  /** Whether the ring has room up to `tailAfter`; the shared head is read only in doubt. */
  #hasRoom(tailAfter: number): boolean {
    if (tailAfter - this.#headSeen <= this.#slots) return true;
    this.#headSeen = Number(Atomics.load(this.#positions, headWord));
    return tailAfter - this.#headSeen <= this.#slots;
  }
}
