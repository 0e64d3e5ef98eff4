/**
 * Which host owns which actor, in shared memory, for every thread to read, and
 * the snapshots of those that nobody owns.
 *
 * An open-addressing hash table. Each key is inserted by one thread only: the
 * host that spawns the actor, or the main thread, for the first actor of a run
 * and at recovery. Ownership changes by compare-and-swap of one word that holds owner and epoch.
 *
 * ```
 *  0        4                 64                 ...
 *  +--------+-----------------+------------------+--------------+---------------+
 *  | slots  | longest probe   | slots, 24 B each | shared texts | snapshot grid |
 *  +--------+-----------------+------------------+--------------+---------------+
 *
 *  slot   0        8          12        16          20
 *         +--------+----------+---------+-----------+--------+
 *         |  key   | place in | owner:8 | sequence  | unused |
 *         |  u64   | the grid | epoch:24|   u32     |        |
 *         +--------+----------+---------+-----------+--------+
 * ```
 *
 * Invariants
 *   D1. A key is never inserted twice while its actor exists.
 *   D2. Who changes an owner word holds the previous one: a stale host loses
 *       its swap, and its epoch is refused by the journal.
 *   D3. The longest probe is raised before a key appears, and never falls: a
 *       search ends there, however many removed keys have piled up.
 *   D4. `sequence` is written before the swap that makes an actor hibernate.
 *   D5. Place, owner and epoch are one word of 64 bits. Whoever swaps a place
 *       out of it is the only one who has it, to read it or to free it.
 */
import { assert } from '../kernel/assert.ts';
import { sha256Bytes } from '../kernel/hash.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { SharedTexts } from './shared-texts.ts';
import { type Sleeper, SnapshotCodec } from './snapshot-codec.ts';
import { SnapshotGrid } from './snapshot-grid.ts';

const headerBytes = 64;
const slotBytes = 24;
const headerWords = headerBytes / 4;
const headerKeys = headerBytes / 8;
const slotWords = slotBytes / 4;
const slotKeys = slotBytes / 8;
/** Index of its word. */
const longestProbe = 1;
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

/** @param place 0 for none, as an owned actor has. */
function pack(owner: number, epoch: number, place: number): bigint {
  return (BigInt(((owner << 24) | (epoch & epochMask)) >>> 0) << 32n) | BigInt(place);
}

function placeIn(word: bigint): number {
  return Number(word & 0xffff_ffffn);
}

/** The head of a grid without pages. */
const gridBytesMin = 1_024;

/** What a claim gave. */
export interface Claimed {
  readonly epoch: number;
  /** The actor; null when only the journal has its snapshot. */
  readonly sleeper: Sleeper | null;
}

export interface DirectorySize {
  /** A power of two. */
  readonly slots?: number;
  /** For snapshots; with less than 128 KiB all of them are in the journal alone. */
  readonly gridBytes?: number;
  /** For texts that snapshots have in common, at least 128 bytes. */
  readonly textBytes?: number;
}

export class ActorDirectory {
  readonly #keys: BigUint64Array;
  readonly #words: Int32Array;
  readonly #slots: number;
  readonly #texts: SharedTexts;
  readonly #grid: SnapshotGrid;
  readonly #codec: SnapshotCodec;

  static allocate(size: DirectorySize = {}): SharedArrayBuffer {
    const slots = size.slots ?? limits.directorySlots;
    assert(Number.isInteger(Math.log2(slots)), 'a power of two');
    const textBytes = Math.ceil((size.textBytes ?? limits.snapshotTextBytes) / 64) * 64;
    const begin = Math.ceil((headerBytes + slots * slotBytes) / 64) * 64;
    const gridBytes =
      Math.ceil(Math.max(size.gridBytes ?? limits.snapshotGridBytes, gridBytesMin) / 64) * 64;
    const memory = new SharedArrayBuffer(begin + textBytes + gridBytes);
    new Int32Array(memory).set([slots, 0, textBytes]);
    return memory;
  }

  constructor(memory: SharedArrayBuffer) {
    this.#keys = new BigUint64Array(memory);
    this.#words = new Int32Array(memory);
    this.#slots = this.#words[0] ?? 0;
    const textBytes = this.#words[2] ?? 0;
    const begin = Math.ceil((headerBytes + this.#slots * slotBytes) / 64) * 64;
    const gridAt = begin + textBytes;
    this.#texts = new SharedTexts(memory, begin, textBytes);
    this.#grid = new SnapshotGrid(memory, gridAt, memory.byteLength - gridAt);
    this.#codec = new SnapshotCodec(this.#texts);
  }

  /** Bytes of shared memory that have been used so far. */
  get usedBytes(): number {
    const table = headerBytes + this.#slots * slotBytes;
    return table + this.#texts.usedBytes + this.#grid.usedBytes;
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
      const present = Atomics.load(this.#keys, this.#keyAt(slot));
      assert(present !== key, `the actor ${actor} is new (D1)`);
      if (present !== emptyKey && present !== removedKey) continue;
      this.#raiseLongestProbe(probe + 1); // (D3)
      if (Atomics.compareExchange(this.#keys, this.#keyAt(slot), present, key) !== present) {
        probe -= 1;
        continue;
      }
      // Nobody asks for the actor before its first message, which is sent after this.
      Atomics.store(this.#keys, this.#keyAt(slot) + 1, pack(owner.host + 1, owner.epoch, 0));
      return true;
    }
    return false;
  }

  lookup(run: RunId, actor: ActorId): Ownership {
    const slot = this.#find(run, actor);
    if (slot === null) return { state: 'absent' };
    const word = Number(this.#word(slot) >> 32n);
    const owner = word >>> 24;
    const epoch = word & epochMask;
    if (owner === gone) return { state: 'absent' };
    if (owner !== noOwner) return { state: 'owned', host: owner - 1, epoch };
    const sequence = Atomics.load(this.#words, this.#sequenceAt(slot));
    return { state: 'hibernated', epoch, sequence };
  }

  /**
   * Gives an owned actor up, its snapshot at `sequence` being journaled (D4).
   * With a `sleeper` its snapshot is kept here too, while there is room.
   * False when the actor is not owned so.
   */
  hibernate(
    run: RunId,
    actor: ActorId,
    from: { readonly host: number; readonly epoch: number; readonly sequence: number },
    sleeper: Sleeper | null = null,
  ): boolean {
    const slot = this.#find(run, actor);
    if (slot === null) return false;
    const owned = pack(from.host + 1, from.epoch, 0);
    if (this.#word(slot) !== owned) return false;
    const place = sleeper === null ? 0 : this.#grid.store(this.#codec.encode(sleeper));
    Atomics.store(this.#words, this.#sequenceAt(slot), from.sequence);
    const isMine = this.#swap(slot, owned, pack(noOwner, from.epoch, place));
    if (!isMine && place !== 0) this.#grid.free(place);
    return isMine;
  }

  /** Takes a hibernated actor under the next epoch; null when another host was first (D2). */
  claim(
    run: RunId,
    actor: ActorId,
    to: { readonly host: number; readonly epoch: number },
  ): Claimed | null {
    const slot = this.#find(run, actor);
    if (slot === null) return null;
    const word = this.#word(slot);
    const place = placeIn(word);
    if (word !== pack(noOwner, to.epoch, place)) return null;
    const epoch = to.epoch + 1;
    if (!this.#swap(slot, word, pack(to.host + 1, epoch, 0))) return null;
    if (place === 0) return { epoch, sleeper: null };
    const snapshot = this.#grid.take(place); // (D5)
    return { epoch, sleeper: this.#codec.decode(snapshot, { run, id: actor }) };
  }

  /** Forgets every actor. Only while no thread inserts or claims: a search meanwhile may find none. */
  clear(): void {
    for (let slot = 0; slot < this.#slots; slot += 1) {
      Atomics.store(this.#keys, this.#keyAt(slot) + 1, pack(gone, 0, 0));
      Atomics.store(this.#keys, this.#keyAt(slot), emptyKey);
    }
    Atomics.store(this.#words, longestProbe, 0);
    this.#grid.clear();
  }

  /** Slots that a search looks at, at most. */
  get longestProbe(): number {
    return Atomics.load(this.#words, longestProbe);
  }

  /**
   * The actor has ended; its slot is free for another. Its host and the main
   * thread may both say so: one of them wins the swap (D2), so that the other
   * does not free a slot that somebody has taken since.
   */
  remove(run: RunId, actor: ActorId): void {
    const slot = this.#find(run, actor);
    if (slot === null) return;
    const word = this.#word(slot);
    if (Atomics.load(this.#keys, this.#keyAt(slot)) !== keyOf(run, actor)) return;
    if (!this.#swap(slot, word, pack(gone, 0, 0))) return;
    if (placeIn(word) !== 0) this.#grid.free(placeIn(word)); // (D5)
    Atomics.store(this.#keys, this.#keyAt(slot), removedKey);
  }

  #keyAt(slot: number): number {
    return headerKeys + slot * slotKeys;
  }

  #sequenceAt(slot: number): number {
    return headerWords + slot * slotWords + 4;
  }

  #word(slot: number): bigint {
    return Atomics.load(this.#keys, this.#keyAt(slot) + 1);
  }

  #swap(slot: number, expected: bigint, next: bigint): boolean {
    const at = this.#keyAt(slot) + 1;
    return Atomics.compareExchange(this.#keys, at, expected, next) === expected;
  }

  #raiseLongestProbe(length: number): void {
    for (let known = this.longestProbe; known < length; known = this.longestProbe) {
      Atomics.compareExchange(this.#words, longestProbe, known, length);
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
      const present = Atomics.load(this.#keys, this.#keyAt(slot));
      if (present === key) return slot;
      if (present === emptyKey) return null;
    }
    return null;
  }
}
