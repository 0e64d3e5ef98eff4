/**
 * Who has which slab: every step of the arena on shared memory. It exists
 * apart from the arena so that all that races is read in one place.
 *
 * A slab is free or live, which its generation says. While it is live its row
 * has at least one lease; each lease belongs to one thread or is on its way to
 * one. A thread may die between any two steps: `reclaim` puts right what it
 * left behind.
 *
 * Invariants
 *   A1. An allocation takes lease 0 and then makes the generation odd, so a
 *       live slab never lacks a lease before its owner gives it up; and only
 *       who has lease 0 makes an even generation odd.
 *   A2. Only who holds a lease of a slab gives another one, and counts the
 *       grant after it. So whoever finds the whole row free, and the grants
 *       the same before and after, has seen it free at one moment, and it
 *       stays free: nobody was left who could give a lease.
 *   A3. Whoever gives up a lease looks afterwards whether it was the last.
 *       Of two that do so at once the later sees both free, and of all that
 *       see the row free one moves the generation on.
 *   A4. A word at or beyond the row limit is free, or was left there by a
 *       thread that died while it granted. The limit rises before a lease
 *       beyond it is given.
 *   A5. A lease in flight is accepted by its addressee alone, once, and only
 *       in the generation that its reference names.
 *   A6. A sender makes a lease in flight before it looks whether the addressee
 *       has ended; that it has is said before its leases are looked for. So
 *       one of the two finds a lease in flight to a thread that has ended.
 *   A7. Reads that are not atomic choose what to try, never what is done.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import type { ArenaLayout } from './arena-descriptor.ts';
import {
  endedWords,
  generationPosition,
  grantsPosition,
  leasesField,
  lengthField,
  lowHalf,
  rowLimitField,
  rowWord,
} from './arena-descriptor.ts';
import { generationMax } from './arena-reference.ts';
import {
  freed,
  heldBy,
  holderOf,
  isFree,
  isInFlight,
  senderOf,
  sentTo,
  serialOf,
} from './lease-word.ts';
import type { SharedWords } from './shared-words.ts';

/** What an operation answers that took nothing. */
export const refusedLease = -1;

/** A lease as its reference names it. */
interface LeaseName {
  readonly slab: number;
  readonly lease: number;
  readonly serial: number;
  readonly generation: number;
  readonly byteLength: number;
}

function isLive(generation: bigint): boolean {
  return (generation & 1n) === 1n;
}

export class SlabLeases {
  readonly #words: SharedWords;
  readonly #layout: ArenaLayout;
  /** The thread that works with this object. */
  readonly #self: number;

  constructor(words: SharedWords, layout: ArenaLayout, self: number) {
    this.#words = words;
    this.#layout = layout;
    this.#self = self;
  }

  /**
   * Takes a free slab for a payload of `lengthBytes`; its lease 0 is then held
   * by this thread. Returns the generation, or `refusedLease` when the slab is
   * live, when another thread was faster, or when its generations are used up.
   */
  tryTake(slab: number, lengthBytes: number): number {
    const words = this.#words;
    const row = rowWord(this.#layout, slab);
    if ((words.read(row + 2 * generationPosition + lowHalf) & 1) === 1) return refusedLease; // (A7)
    const free = words.read(row + leasesField);
    if (!isFree(free)) return refusedLease; // (A7)
    const held = heldBy(this.#self, free);
    if (words.compareExchange(row + leasesField, free, held) !== free) return refusedLease;
    const generation = words.loadPosition(row / 2 + generationPosition);
    if (isLive(generation) || generation >= generationMax) {
      // The slab was taken, and lease 0 given up again, in the meantime.
      this.release(slab, 0, held);
      return refusedLease;
    }
    // Nobody reads these before the generation is odd, which publishes them.
    words.write(row + rowLimitField, 1);
    words.write(row + lengthField, lengthBytes);
    const before = words.compareExchangePosition(
      row / 2 + generationPosition,
      generation,
      generation + 1n,
    );
    assert(before === generation, 'a free slab is taken by who has its lease 0'); // (A1)
    return Number(generation) + 1;
  }

  /** The word of lease 0 after `tryTake`, or of any lease that this thread holds. */
  wordOf(slab: number, lease: number): number {
    return this.#words.read(this.#leaseWord(slab, lease));
  }

  /**
   * Gives this thread, which holds a lease of the slab, another one. Returns
   * its number, or `refusedLease` when all leases of the slab are given.
   */
  tryGrant(slab: number): number {
    const row = rowWord(this.#layout, slab);
    for (let lease = 0; lease < limits.arenaLeasesPerSlab; lease += 1) {
      const word = row + leasesField + lease;
      const free = this.#words.read(word);
      if (!isFree(free)) continue; // (A7)
      this.#raiseLimit(row, lease + 1); // (A4)
      const held = heldBy(this.#self, free);
      if (this.#words.compareExchange(word, free, held) !== free) continue;
      this.#words.addPosition(row / 2 + grantsPosition, 1n); // (A2)
      return lease;
    }
    return refusedLease;
  }

  /** Says that the thread lives from now on. */
  started(thread: number): void {
    this.#words.store(endedWords + thread, 0);
  }

  /** Says that the thread has ended, before its leases are reclaimed (A6). */
  ended(thread: number): void {
    this.#words.store(endedWords + thread, 1);
  }

  /**
   * Sends the lease, whose word is `held`, to another thread; to one that has
   * ended it gives the lease up instead. Returns the word in flight.
   */
  send(slab: number, lease: number, held: number, to: number): number {
    const sent = sentTo(to, this.#self, held);
    const before = this.#words.compareExchange(this.#leaseWord(slab, lease), held, sent);
    assert(before === held, 'a lease is reclaimed only from a thread that has ended');
    if (this.#words.load(endedWords + to) === 1) {
      // Whoever reclaims may be faster; then the work is done. (A6)
      this.#words.compareExchange(this.#leaseWord(slab, lease), sent, freed(sent));
      this.#settle(slab);
    }
    return sent;
  }

  /** Accepts a lease that is in flight to this thread. Returns its word, or `refusedLease`. */
  tryAccept(name: LeaseName): number {
    const word = this.#leaseWord(name.slab, name.lease);
    const sent = this.#words.load(word);
    const isMine = isInFlight(sent) && holderOf(sent) === this.#self;
    return isMine ? this.#tryHold(name, word, sent) : refusedLease;
  }

  /** Takes back a lease that this thread sent and nobody accepted. Returns its word, or `refusedLease`. */
  tryTakeBack(name: LeaseName): number {
    const word = this.#leaseWord(name.slab, name.lease);
    const sent = this.#words.load(word);
    const isMine = isInFlight(sent) && senderOf(sent) === this.#self;
    return isMine ? this.#tryHold(name, word, sent) : refusedLease;
  }

  /** Gives the lease up, whose word is `held`; the last one frees the slab. */
  release(slab: number, lease: number, held: number): void {
    const before = this.#words.compareExchange(this.#leaseWord(slab, lease), held, freed(held));
    assert(before === held, 'a lease is reclaimed only from a thread that has ended');
    this.#settle(slab); // (A3)
  }

  /**
   * Frees every lease of the slab that `isGone` accepts, and the slab when no
   * lease is left. May be repeated, and cut short, at any point.
   */
  reclaim(slab: number, isGone: (word: number) => boolean): void {
    const first = this.#leaseWord(slab, 0);
    for (let lease = 0; lease < limits.arenaLeasesPerSlab; lease += 1) {
      const word = this.#words.load(first + lease);
      // Whoever was faster accepted the lease, and then it is not gone.
      if (isGone(word)) this.#words.compareExchange(first + lease, word, freed(word));
    }
    // Also without a lease to free: the thread may have died right before it looked.
    this.#settle(slab);
  }

  /** Bytes of the payload in the slab, or null when it is free. A value of the past when it is read. */
  liveBytes(slab: number): number | null {
    const row = rowWord(this.#layout, slab);
    if (!isLive(this.#words.loadPosition(row / 2 + generationPosition))) return null;
    return this.#words.load(row + lengthField);
  }

  /** Makes the lease in flight one that this thread holds, if the name is right in everything. */
  #tryHold(name: LeaseName, word: number, sent: number): number {
    if (serialOf(sent) !== name.serial) return refusedLease;
    const held = heldBy(this.#self, sent);
    if (this.#words.compareExchange(word, sent, held) !== sent) return refusedLease;
    // The lease keeps the slab as it is now, so this is decided once and for all.
    const row = rowWord(this.#layout, name.slab);
    const generation = this.#words.loadPosition(row / 2 + generationPosition);
    const isRight =
      Number(generation) === name.generation &&
      this.#words.read(row + lengthField) === name.byteLength;
    if (isRight) return held; // (A5)
    this.#words.compareExchange(word, held, sent);
    return refusedLease;
  }

  /** Frees the slab if it is live without a lease (A2, A3). */
  #settle(slab: number): void {
    const words = this.#words;
    const row = rowWord(this.#layout, slab);
    const position = row / 2 + generationPosition;
    for (;;) {
      const generation = words.loadPosition(position);
      if (!isLive(generation)) return;
      if (!isFree(words.load(row + leasesField))) return;
      // A limit of 1 after that look means that nothing was ever granted, so lease 0 was the only one.
      if (words.load(row + rowLimitField) > 1) {
        const grants = words.loadPosition(row / 2 + grantsPosition);
        if (!this.#isRowFree(row)) return;
        // A grant in between means that somebody holds a lease or looks after us: look again.
        if (words.loadPosition(row / 2 + grantsPosition) !== grants) continue;
      }
      // Another thread that saw the row free may be faster; then the work is done.
      words.compareExchangePosition(position, generation, generation + 1n);
      return;
    }
  }

  #isRowFree(row: number): boolean {
    const rowLimit = this.#words.load(row + rowLimitField);
    for (let lease = 0; lease < rowLimit; lease += 1) {
      if (!isFree(this.#words.load(row + leasesField + lease))) return false;
    }
    return true;
  }

  #raiseLimit(row: number, atLeast: number): void {
    for (;;) {
      const before = this.#words.load(row + rowLimitField);
      if (before >= atLeast) return;
      const found = this.#words.compareExchange(row + rowLimitField, before, atLeast);
      if (found === before) return;
    }
  }

  #leaseWord(slab: number, lease: number): number {
    return rowWord(this.#layout, slab) + leasesField + lease;
  }
}
