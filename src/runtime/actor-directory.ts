/**
 * Which host owns which actor, in shared memory, for every thread to read.
 *
 * An open-addressing hash table. Each key is inserted by one thread only: the
 * host that spawns the actor, or the main thread, for the first actor of a run
 * and at recovery. Ownership changes by compare-and-swap of one word that holds owner and epoch.
 *
 * ```
 *  slot   0        8         12          16
 *         +--------+---------+-----------+
 *         |  key   | owner:8 | sequence  |
 *         |  u64   | epoch:24|   u32     |
 *         +--------+---------+-----------+
 *
 *  behind the last slot: the longest probe so far, u32
 * ```
 *
 * Invariants
 *   D1. A key is never inserted twice while its actor exists.
 *   D2. Who changes an owner word holds the previous one: a stale host loses
 *       its swap, and its epoch is refused by the journal.
 *   D3. The longest probe is raised before a key appears, and never falls: a
 *       search ends there, however many removed keys have piled up.
 *   D4. `sequence` is written before the swap that makes an actor hibernate.
 */
import { assert } from '../kernel/assert.ts';
import { sha256Bytes } from '../kernel/hash.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';

const slotBytes = 16;
const emptyKey = 0n;
const removedKey = 1n;
const noOwner = 0;
const gone = 255;
const epochMask = 0xff_ffff;

export type Ownership =
  | { readonly state: 'absent' }
  | { readonly state: 'owned'; readonly host: number; readonly epoch: number }
  | { readonly state: 'hibernated'; readonly epoch: number; readonly sequence: number };

function keyOf(run: RunId, actor: ActorId): bigint {
  const key = sha256Bytes(`${run}:${actor}`).readBigUInt64LE(0);
  // The two reserved keys are as likely as any other: one in 2^63.
  return key === emptyKey || key === removedKey ? 2n : key;
}

function pack(owner: number, epoch: number): number {
  return (owner << 24) | (epoch & epochMask) | 0;
}

export class ActorDirectory {
  readonly #keys: BigUint64Array;
  readonly #words: Int32Array;
  readonly #slots: number;
  /** Index of its word. */
  readonly #longestProbe: number;

  static allocate(slots: number = limits.directorySlots): SharedArrayBuffer {
    assert(Number.isInteger(Math.log2(slots)), 'a power of two');
    return new SharedArrayBuffer((slots + 1) * slotBytes);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#keys = new BigUint64Array(memory);
    this.#words = new Int32Array(memory);
    this.#slots = memory.byteLength / slotBytes - 1;
    this.#longestProbe = memory.byteLength / 4 - 4;
  }

  /** Makes the actor known as owned by `host` at `epoch`; false when the table is full. */
  insert(
    run: RunId,
    actor: ActorId,
    owner: { readonly host: number; readonly epoch: number },
  ): boolean {
    const key = keyOf(run, actor);
    for (let probe = 0; probe < this.#slots; probe += 1) {
      const slot = this.#slotAt(key, probe);
      const present = Atomics.load(this.#keys, slot * 2);
      assert(present !== key, `the actor ${actor} is new (D1)`);
      if (present !== emptyKey && present !== removedKey) continue;
      this.#raiseLongestProbe(probe + 1); // (D3)
      if (Atomics.compareExchange(this.#keys, slot * 2, present, key) !== present) {
        probe -= 1;
        continue;
      }
      // Nobody asks for the actor before its first message, which is sent after this.
      Atomics.store(this.#words, slot * 4 + 2, pack(owner.host + 1, owner.epoch));
      return true;
    }
    return false;
  }

  lookup(run: RunId, actor: ActorId): Ownership {
    const slot = this.#find(run, actor);
    if (slot === null) return { state: 'absent' };
    const word = Atomics.load(this.#words, slot * 4 + 2);
    const owner = word >>> 24;
    const epoch = word & epochMask;
    if (owner === gone) return { state: 'absent' };
    if (owner !== noOwner) return { state: 'owned', host: owner - 1, epoch };
    const sequence = Atomics.load(this.#words, slot * 4 + 3);
    return { state: 'hibernated', epoch, sequence };
  }

  /** Gives an owned actor up, its snapshot at `sequence` being journaled (D4). False when it is not owned so. */
  hibernate(
    run: RunId,
    actor: ActorId,
    from: { readonly host: number; readonly epoch: number; readonly sequence: number },
  ): boolean {
    const slot = this.#find(run, actor);
    if (slot === null) return false;
    Atomics.store(this.#words, slot * 4 + 3, from.sequence);
    return this.#swap(slot, pack(from.host + 1, from.epoch), pack(noOwner, from.epoch));
  }

  /** Takes a hibernated actor; the new epoch, or null when another host was first (D2). */
  claim(
    run: RunId,
    actor: ActorId,
    to: { readonly host: number; readonly epoch: number },
  ): number | null {
    const slot = this.#find(run, actor);
    if (slot === null) return null;
    const epoch = to.epoch + 1;
    return this.#swap(slot, pack(noOwner, to.epoch), pack(to.host + 1, epoch)) ? epoch : null;
  }

  /** Forgets every actor. Only while no thread inserts or claims: a search meanwhile may find none. */
  clear(): void {
    for (let slot = 0; slot < this.#slots; slot += 1) {
      Atomics.store(this.#words, slot * 4 + 2, pack(gone, 0));
      Atomics.store(this.#keys, slot * 2, emptyKey);
    }
    Atomics.store(this.#words, this.#longestProbe, 0);
  }

  /** Slots that a search looks at, at most. */
  get longestProbe(): number {
    return Atomics.load(this.#words, this.#longestProbe);
  }

  /**
   * The actor has ended; its slot is free for another. Its host and the main
   * thread may both say so: one of them wins the swap (D2), so that the other
   * does not free a slot that somebody has taken since.
   */
  remove(run: RunId, actor: ActorId): void {
    const slot = this.#find(run, actor);
    if (slot === null) return;
    const word = Atomics.load(this.#words, slot * 4 + 2);
    if (Atomics.load(this.#keys, slot * 2) !== keyOf(run, actor)) return;
    if (!this.#swap(slot, word, pack(gone, 0))) return;
    Atomics.store(this.#keys, slot * 2, removedKey);
  }

  #swap(slot: number, expected: number, next: number): boolean {
    return Atomics.compareExchange(this.#words, slot * 4 + 2, expected, next) === expected;
  }

  #raiseLongestProbe(length: number): void {
    for (let known = this.longestProbe; known < length; known = this.longestProbe) {
      Atomics.compareExchange(this.#words, this.#longestProbe, known, length);
    }
  }

  #slotAt(key: bigint, probe: number): number {
    return (Number(key & 0xffff_ffffn) + probe) & (this.#slots - 1);
  }

  #find(run: RunId, actor: ActorId): number | null {
    const key = keyOf(run, actor);
    const end = this.longestProbe;
    for (let probe = 0; probe < end; probe += 1) {
      const slot = this.#slotAt(key, probe);
      const present = Atomics.load(this.#keys, slot * 2);
      if (present === key) return slot;
      if (present === emptyKey) return null;
    }
    return null;
  }
}
