/**
 * Which host owns which actor, in shared memory, for every thread to read, and
 * the snapshots of those that nobody owns.
 *
 * An open-addressing hash table. Each key is inserted by one thread only: the
 * host that spawns the actor, or the main thread, for the first actor of a run
 * and at recovery. Ownership changes by compare-and-swap of one word that holds owner and epoch.
 *
 * ```
 *  0        64                 ...
 *  +--------+------------------+-----------+---------------+
 *  | header | slots, 24 B each | templates | snapshot grid |
 *  +--------+------------------+-----------+---------------+
 *
 *  header  0       4         8           12       20      24     28        32        36     40
 *          +-------+---------+-----------+--------+-------+------+---------+---------+------+-----------+
 *          | slots | longest | templates | secret | clock | hand | spilled | damaged | used | snapshots |
 *          |       | probe   |           | u64    |       |      |         |         |      |           |
 *          +-------+---------+-----------+--------+-------+------+---------+---------+------+-----------+
 *
 *  slot   0        8          12        16          20
 *         +--------+----------+---------+-----------+--------+
 *         |  key   | place in | owner:8 | sequence  | asleep |
 *         |  u64   | the grid | epoch:24|   u32     | since  |
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
 *   D6. Without room, a snapshot takes the place of the one that has slept
 *       longest among some; that one is in the journal alone then.
 */
import { randomFillSync } from 'node:crypto';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { ActorKey } from './actor-key.ts';
import { templateEntryBytes } from './shared-templates.ts';
import { SleepingSnapshots } from './sleeping-snapshots.ts';
import type { Sleeper } from './snapshot-codec.ts';
import type { SlabSeal } from './snapshot-grid.ts';
import { SnapshotNames } from './snapshot-names.ts';
import type { HibernationView } from './views.ts';

const headerBytes = 64;
const slotBytes = 24;
const headerWords = headerBytes / 4;
const slotWords = slotBytes / 4;
/** Indexes of the header's words. */
const header = {
  slots: 0,
  longestProbe: 1,
  templates: 2,
  secret: 3,
  clock: 5,
  hand: 6,
  spilled: 7,
  damaged: 8,
  used: 9,
  snapshots: 10,
} as const;
/** Indexes of a slot's words. */
const low = 0;
const high = 1;
const place = 2;
const sequence = 4;
const since = 5;
/** In the low word of a key. */
const emptyKey = 0;
const removedKey = 1;
const noOwner = 0;
const gone = 255;
const epochMask = 0xff_ffff;
/** Slots among which the longest sleeper is looked for. */
const spillSlots = 256;

export type Ownership =
  | { readonly state: 'absent' }
  | { readonly state: 'owned'; readonly host: number; readonly epoch: number }
  | { readonly state: 'hibernated'; readonly epoch: number; readonly sequence: number };

function owned(owner: number, epoch: number): number {
  return (owner << 24) | (epoch & epochMask);
}

/** The head of a grid without pages. */
const gridBytesMin = 1_024;

/** What a claim gave. */
export interface Claimed {
  readonly epoch: number;
  /** The actor; null when only the journal has its snapshot. */
  readonly sleeper: Sleeper | null;
  /** Why the snapshot that was here cannot be read; the journal has it as well. */
  readonly damage: RuntimeError | null;
}

export interface DirectorySize {
  /** A power of two. */
  readonly slots?: number;
  /** For snapshots; with less than 128 KiB all of them are in the journal alone. */
  readonly gridBytes?: number;
  /** Of snapshots, at once. */
  readonly templates?: number;
}

export class ActorDirectory {
  readonly #words: Int32Array;
  readonly #owners: BigUint64Array;
  readonly #slots: number;
  readonly #key: ActorKey;
  readonly #snapshots: SleepingSnapshots;

  static allocate(size: DirectorySize = {}): SharedArrayBuffer {
    const slots = size.slots ?? limits.directorySlots;
    assert(Number.isInteger(Math.log2(slots)), 'a power of two');
    const templates = size.templates ?? limits.snapshotTemplates;
    const gridBytes =
      Math.ceil(Math.max(size.gridBytes ?? limits.snapshotGridBytes, gridBytesMin) / 64) * 64;
    const memory = new SharedArrayBuffer(gridAt(slots, templates) + gridBytes);
    const words = new Int32Array(memory);
    words[header.slots] = slots;
    words[header.templates] = templates;
    const secret = randomFillSync(new Int32Array(2));
    words.set(secret, header.secret);
    return memory;
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#owners = new BigUint64Array(memory);
    const known = (index: number) => this.#words[index] ?? 0;
    this.#slots = known(header.slots);
    this.#key = new ActorKey(known(header.secret), known(header.secret + 1));
    const templates = known(header.templates);
    const templatesAt = headerBytes + this.#slots * slotBytes;
    const at = { templatesAt, templates, gridAt: gridAt(this.#slots, templates) };
    this.#snapshots = new SleepingSnapshots(memory, at);
  }

  /** Bytes of shared memory that have been used so far. */
  get usedBytes(): number {
    return gridAt(this.#slots, this.#words[header.templates] ?? 0) + this.#snapshots.usedBytes;
  }

  /** Of all threads; each number for itself is right, though they may be of different instants. */
  get counts(): HibernationView {
    const count = (index: number) => Atomics.load(this.#words, index) >>> 0;
    const used = count(header.used);
    return {
      slots: { used, free: this.#slots - used },
      snapshots: count(header.snapshots),
      bytes: { used: this.#snapshots.usedBytes, free: this.#snapshots.freeBytes },
      templates: this.#snapshots.templates,
      spilled: count(header.spilled),
      damaged: count(header.damaged),
    };
  }

  /** Makes the actor known as owned by `host` at `epoch`; false when the table is full. */
  insert(
    run: RunId,
    actor: ActorId,
    owner: { readonly host: number; readonly epoch: number },
  ): boolean {
    const key = this.#key;
    key.of(run, actor);
    for (let probe = 0; probe < this.#slots; probe += 1) {
      const slot = this.#slotAt(probe);
      const present = Atomics.load(this.#words, slot + low);
      const isSame = present === key.low && Atomics.load(this.#words, slot + high) === key.high;
      assert(!isSame, `the actor ${actor} is new (D1)`);
      if (present !== emptyKey && present !== removedKey) continue;
      this.#raiseLongestProbe(probe + 1); // (D3)
      if (Atomics.compareExchange(this.#words, slot + low, present, key.low) !== present) {
        probe -= 1;
        continue;
      }
      // Nobody asks for the actor before its first message, which is sent after this.
      Atomics.store(this.#owners, ownerAt(slot), pack(owned(owner.host + 1, owner.epoch), 0));
      Atomics.add(this.#words, header.used, 1);
      Atomics.store(this.#words, slot + high, key.high);
      return true;
    }
    return false;
  }

  lookup(run: RunId, actor: ActorId): Ownership {
    const slot = this.#find(run, actor);
    if (slot < 0) return { state: 'absent' };
    const word = Atomics.load(this.#words, slot + place + 1);
    const owner = word >>> 24;
    const epoch = word & epochMask;
    if (owner === gone) return { state: 'absent' };
    if (owner !== noOwner) return { state: 'owned', host: owner - 1, epoch };
    return { state: 'hibernated', epoch, sequence: Atomics.load(this.#words, slot + sequence) };
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
    if (slot < 0) return false;
    const mine = pack(owned(from.host + 1, from.epoch), 0);
    if (this.#owner(slot) !== mine) return false;
    const seal = this.#seal(from.epoch);
    const spill = (kind: number) => this.#spill(kind);
    const stored = sleeper === null ? 0 : this.#snapshots.store(sleeper, seal, spill);
    Atomics.store(this.#words, slot + sequence, from.sequence);
    Atomics.store(this.#words, slot + since, Atomics.add(this.#words, header.clock, 1));
    if (stored !== 0) Atomics.add(this.#words, header.snapshots, 1);
    const isMine = this.#swap(slot, mine, pack(owned(noOwner, from.epoch), stored));
    if (!isMine && stored !== 0) this.#free(stored, seal);
    return isMine;
  }

  /** Takes a hibernated actor under the next epoch; null when another host was first (D2). */
  claim(
    run: RunId,
    actor: ActorId,
    to: { readonly host: number; readonly epoch: number },
  ): Claimed | null {
    const slot = this.#find(run, actor);
    if (slot < 0) return null;
    const from = owned(noOwner, to.epoch);
    const epoch = to.epoch + 1;
    const mine = pack(owned(to.host + 1, epoch), 0);
    for (;;) {
      if (Atomics.load(this.#words, slot + place + 1) !== from) return null;
      const stored = Atomics.load(this.#words, slot + place);
      // Both loads are of one word only if this swap succeeds.
      if (!this.#swap(slot, pack(from, stored), mine)) continue;
      if (stored === 0) return { epoch, sleeper: null, damage: null };
      return this.#wake(stored, new SnapshotNames(run, actor), epoch); // (D5)
    }
  }

  /** Forgets every actor. Only while no thread inserts or claims: a search meanwhile may find none. */
  clear(): void {
    for (let index = 0; index < this.#slots; index += 1) {
      const slot = headerWords + index * slotWords;
      if (Atomics.load(this.#words, slot + low) === emptyKey) continue;
      Atomics.store(this.#owners, ownerAt(slot), pack(owned(gone, 0), 0));
      Atomics.store(this.#words, slot + high, 0);
      Atomics.store(this.#words, slot + low, emptyKey);
    }
    const { longestProbe, used, snapshots } = header;
    for (const index of [longestProbe, used, snapshots]) Atomics.store(this.#words, index, 0);
    this.#snapshots.clear();
  }

  /** Frees what sleeping actors had in common and none has any more, as when a run has ended. */
  freeUnused(): void {
    this.#snapshots.freeUnused();
  }

  /** Slots that a search looks at, at most. */
  get longestProbe(): number {
    return Atomics.load(this.#words, header.longestProbe);
  }

  /**
   * The actor has ended; its slot is free for another. Its host and the main
   * thread may both say so: one of them wins the swap (D2), so that the other
   * does not free a slot that somebody has taken since.
   */
  remove(run: RunId, actor: ActorId): void {
    const slot = this.#find(run, actor);
    if (slot < 0) return;
    const word = this.#owner(slot);
    const { low: keyLow, high: keyHigh } = this.#key;
    if (Atomics.load(this.#words, slot + low) !== keyLow) return;
    if (Atomics.load(this.#words, slot + high) !== keyHigh) return;
    if (!this.#swap(slot, word, pack(owned(gone, 0), 0))) return;
    const stored = Number(word & 0xffff_ffffn);
    if (stored !== 0) this.#free(stored, this.#seal(Number(word >> 32n) & epochMask)); // (D5)
    Atomics.sub(this.#words, header.used, 1);
    Atomics.store(this.#words, slot + high, 0);
    Atomics.store(this.#words, slot + low, removedKey);
  }

  /** Leaves the longest sleeper of this size among the next slots to the journal (D6). */
  #spill(kind: number): boolean {
    const hand = Atomics.add(this.#words, header.hand, spillSlots) >>> 0;
    const now = Atomics.load(this.#words, header.clock);
    let oldest = -1;
    let age = -1;
    for (let index = 0; index < Math.min(spillSlots, this.#slots); index += 1) {
      const slot = headerWords + ((hand + index) & (this.#slots - 1)) * slotWords;
      const stored = Atomics.load(this.#words, slot + place);
      if (stored === 0 || this.#snapshots.classOf(stored) !== kind) continue;
      const slept = (now - Atomics.load(this.#words, slot + since)) >>> 0;
      if (slept <= age) continue;
      oldest = slot;
      age = slept;
    }
    if (oldest < 0) return false;
    const word = this.#owner(oldest);
    const stored = Number(word & 0xffff_ffffn);
    if (stored === 0) return false;
    const owner = Number(word >> 32n);
    const seal = sealOf(
      Atomics.load(this.#words, oldest + low),
      Atomics.load(this.#words, oldest + high),
      owner & epochMask,
    );
    if (!this.#swap(oldest, word, pack(owner, 0))) return false;
    this.#free(stored, seal); // (D5)
    Atomics.add(this.#words, header.spilled, 1);
    return true;
  }

  #free(stored: number, seal: SlabSeal): void {
    this.#snapshots.free(stored, seal);
    Atomics.sub(this.#words, header.snapshots, 1);
  }

  #wake(stored: number, names: SnapshotNames, epoch: number): Claimed {
    Atomics.sub(this.#words, header.snapshots, 1);
    const sleeper = this.#snapshots.take(stored, names, this.#seal(epoch - 1));
    if (sleeper !== null) return { epoch, sleeper, damage: null };
    Atomics.add(this.#words, header.damaged, 1);
    const message = `The snapshot of ${names.id} in shared memory is damaged; the journal has it as well.`;
    return { epoch, sleeper: null, damage: new RuntimeError('SNAPSHOT_DAMAGED', message) };
  }

  /** Of the actor that was looked for last. */
  #seal(epoch: number): SlabSeal {
    return sealOf(this.#key.low, this.#key.high, epoch);
  }

  #owner(slot: number): bigint {
    return Atomics.load(this.#owners, ownerAt(slot));
  }

  #swap(slot: number, expected: bigint, next: bigint): boolean {
    return Atomics.compareExchange(this.#owners, ownerAt(slot), expected, next) === expected;
  }

  #raiseLongestProbe(length: number): void {
    for (let known = this.longestProbe; known < length; known = this.longestProbe) {
      Atomics.compareExchange(this.#words, header.longestProbe, known, length);
    }
  }

  /** Index of the first word of a slot. */
  #slotAt(probe: number): number {
    return headerWords + ((this.#key.low + probe) & (this.#slots - 1)) * slotWords;
  }

  /** The slot of an actor, -1 for none. */
  #find(run: RunId, actor: ActorId): number {
    const key = this.#key;
    key.of(run, actor);
    const end = this.longestProbe;
    for (let probe = 0; probe < end; probe += 1) {
      const slot = this.#slotAt(probe);
      const present = Atomics.load(this.#words, slot + low);
      if (present === key.low && Atomics.load(this.#words, slot + high) === key.high) return slot;
      if (present === emptyKey) return -1;
    }
    return -1;
  }
}

/** Index of a slot's owner word among the words of 64 bits. */
function ownerAt(slot: number): number {
  return (slot + place) / 2;
}

/** @param stored Place in the grid, 0 for none, as an owned actor has. */
function pack(owner: number, stored: number): bigint {
  return BigInt.asUintN(64, (BigInt(owner >>> 0) << 32n) | BigInt(stored >>> 0));
}

/** Whose snapshot lies in a place: this actor's of this epoch. */
function sealOf(keyLow: number, keyHigh: number, epoch: number): SlabSeal {
  return { low: keyLow, high: keyHigh ^ (epoch << 8) };
}

/** Where the grid begins. */
function gridAt(slots: number, templates: number): number {
  return Math.ceil((headerBytes + slots * slotBytes + templates * templateEntryBytes) / 64) * 64;
}
