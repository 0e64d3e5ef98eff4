/**
 * Slabs of shared memory for payloads that are too large to copy through a
 * ring: tensors, model states, documents. A frame carries the reference of a
 * lease; the receiver gets the bytes in place.
 *
 * It must never be opened twice for one thread at a time, and a thread is
 * reclaimed only after it has ended: then it holds nothing that could change.
 *
 * Invariants
 *   N1. A payload lies in the smallest class that holds it, or at most
 *       `limits.arenaClassesAbove` classes higher, so that small payloads do
 *       not use up the large slabs.
 *   N2. A class takes a slab that was never used only after it found no free
 *       one among those that were: memory is committed by need. At most
 *       `limits.arenaProbesMax` are tried for that, so allocation takes the
 *       same time however many payloads there are, until a class is full.
 *   N3. A full arena is a refusal as a return value; it is counted.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { ArenaClass, ArenaLayout, PlacedClass } from './arena-descriptor.ts';
import {
  arenaLayout,
  arenaLayoutOf,
  arenaMagic,
  classCountWord,
  magicWord,
  pageBytes,
} from './arena-descriptor.ts';
import type { ArenaReference } from './arena-reference.ts';
import type { Payload, PayloadKind } from './lease.ts';
import { Lease } from './lease.ts';
import { belongsTo, isBetween } from './lease-word.ts';
import { SharedWords } from './shared-words.ts';
import { refusedLease, SlabLeases } from './slab-leases.ts';
import type { Dtype } from './tensor.ts';
import { tryTensorBytes } from './tensor.ts';

/** State of one size class; every number is of a moment that has passed. */
export interface ArenaClassStatistics {
  readonly slabBytes: number;
  readonly slabs: number;
  /** Slabs with a payload. */
  readonly slabsLive: number;
  /** Slabs that were ever used: the most that were live at once, or a little more. */
  readonly slabsHighWater: number;
  /** Payloads in the class, without the rest of their slabs. */
  readonly bytesLive: number;
  /** Allocations of this size that found no slab. */
  readonly refusals: number;
}

/** The slab where the search of this thread goes on, counted from the first of its class. */
interface ClassCursor {
  readonly placed: PlacedClass;
  next: number;
}

export class Arena {
  readonly #memory: SharedArrayBuffer;
  readonly #layout: ArenaLayout;
  readonly #words: SharedWords;
  readonly #slabs: SlabLeases;
  readonly #cursors: readonly ClassCursor[];

  /**
   * Opens memory that `allocate` made, for the thread with this index, 0 to
   * `limits.busThreadsMax` − 1.
   */
  constructor(memory: SharedArrayBuffer, self: number) {
    assert(
      Number.isInteger(self) && self >= 0 && self < limits.busThreadsMax,
      `not the index of a thread: ${self}`,
    );
    this.#memory = memory;
    this.#layout = arenaLayoutOf(memory);
    this.#words = new SharedWords(memory, this.#layout.dataOffset);
    this.#slabs = new SlabLeases(this.#words, this.#layout, self);
    this.#slabs.started(self);
    this.#cursors = this.#layout.classes.map((placed) => ({ placed, next: 0 }));
  }

  /** Memory of an empty arena with the given size classes, smallest slabs first. */
  static allocate(classes: readonly ArenaClass[] = limits.arenaClasses): SharedArrayBuffer {
    const layout = arenaLayout(classes);
    const memory = new SharedArrayBuffer(layout.totalBytes);
    const words = new SharedWords(memory, layout.dataOffset);
    words.store(magicWord, arenaMagic);
    words.store(classCountWord, layout.classes.length);
    for (const { pagesWord, slabsWord, slabBytes, slabs } of layout.classes) {
      words.store(pagesWord, slabBytes / pageBytes);
      words.store(slabsWord, slabs);
    }
    return memory;
  }

  /** Largest payload. */
  get payloadBytesMax(): number {
    return this.#layout.classes.at(-1)?.slabBytes ?? 0;
  }

  /**
   * Room for a payload of `byteLength` bytes, or null when no slab is free.
   * @throws RuntimeError BUS_ARENA_TOO_LARGE when no slab would ever hold it.
   */
  tryAllocate(byteLength: number): Lease | null {
    assert(Number.isSafeInteger(byteLength) && byteLength >= 0, `not a length: ${byteLength}`);
    return this.#tryAllocate({ dtype: 'u8', shape: [byteLength], byteLength });
  }

  /**
   * Room for a tensor of this type and shape, or null when no slab is free.
   * @throws RuntimeError BUS_ARENA_TOO_LARGE when no slab would ever hold it.
   */
  tryAllocateTensor(dtype: Dtype, shape: readonly number[]): Lease | null {
    const byteLength = tryTensorBytes(dtype, shape);
    assert(byteLength !== null, `not the shape of a tensor: ${dtype} [${shape.join(', ')}]`);
    return this.#tryAllocate({ dtype, shape, byteLength });
  }

  /**
   * Accepts the lease that another thread transferred to this one.
   * @throws RuntimeError BUS_ARENA_STALE when it is not there, or is no longer.
   */
  accept(reference: ArenaReference): Lease {
    const placed = this.#classOfSlab(reference.slab);
    if (placed === undefined) throw stale(reference);
    const word = this.#slabs.tryAccept(reference);
    if (word === refusedLease) throw stale(reference);
    return this.#leaseOf(reference, placed, word);
  }

  /**
   * Takes back a lease that this thread transferred, when its reference was
   * not sent after all.
   * @throws RuntimeError BUS_ARENA_STALE when the addressee accepted it, or ended.
   */
  takeBack(reference: ArenaReference): Lease {
    const placed = this.#classOfSlab(reference.slab);
    if (placed === undefined) throw stale(reference);
    const word = this.#slabs.tryTakeBack(reference);
    if (word === refusedLease) throw stale(reference);
    return this.#leaseOf(reference, placed, word);
  }

  /**
   * Frees all leases of a thread that has ended, those in flight to it now or
   * later, and slabs that it left half-taken or half-released. Its index may belong to a
   * new thread only after this and after `reclaimInFlight` to every other.
   */
  reclaim(thread: number): void {
    this.#slabs.ended(thread);
    this.#reclaim((word) => belongsTo(thread, word));
  }

  /**
   * Frees the leases in flight from a thread that has ended to another one:
   * call it once `to` has drained all that `from` ever published to it.
   */
  reclaimInFlight(from: number, to: number): void {
    this.#reclaim((word) => isBetween({ from, to }, word));
  }

  /** The state of every size class, smallest slabs first. */
  statistics(): ArenaClassStatistics[] {
    return this.#layout.classes.map((placed) => {
      const slabsHighWater = this.#words.load(placed.touchedWord);
      let slabsLive = 0;
      let bytesLive = 0;
      for (let index = 0; index < slabsHighWater; index += 1) {
        const bytes = this.#slabs.liveBytes(placed.firstSlab + index);
        if (bytes === null) continue;
        slabsLive += 1;
        bytesLive += bytes;
      }
      return {
        slabBytes: placed.slabBytes,
        slabs: placed.slabs,
        slabsLive,
        slabsHighWater,
        bytesLive,
        refusals: Number(this.#words.loadPosition(placed.refusalsPosition)),
      };
    });
  }

  #tryAllocate(kind: PayloadKind): Lease | null {
    const first = this.#classOf(kind.byteLength);
    const last = Math.min(first + limits.arenaClassesAbove, this.#cursors.length - 1); // (N1)
    for (let index = first; index <= last; index += 1) {
      const cursor = this.#cursors[index];
      assert(cursor !== undefined, 'the class exists');
      const lease = this.#tryTake(cursor, kind);
      if (lease !== null) return lease;
    }
    const refused = this.#cursors[first];
    if (refused !== undefined) this.#words.addPosition(refused.placed.refusalsPosition, 1n); // (N3)
    return null;
  }

  #reclaim(isGone: (word: number) => boolean): void {
    for (const placed of this.#layout.classes) {
      // A slab is touched before anybody takes a lease of it.
      const touched = this.#words.load(placed.touchedWord);
      for (let index = 0; index < touched; index += 1) {
        this.#slabs.reclaim(placed.firstSlab + index, isGone);
      }
    }
  }

  /** A lease of a free slab of the class, or null when it finds none. */
  #tryTake(cursor: ClassCursor, kind: PayloadKind): Lease | null {
    const { placed } = cursor;
    let touched = this.#words.load(placed.touchedWord);
    const probes = touched < placed.slabs ? Math.min(touched, limits.arenaProbesMax) : touched;
    for (let probe = 0; probe < probes; probe += 1) {
      const index = cursor.next < touched ? cursor.next : 0;
      cursor.next = index + 1;
      const lease = this.#tryTakeSlab(placed, index, kind);
      if (lease !== null) return lease;
    }
    // Each turn adds a slab to those in use, and another thread may snatch it: at most all are added.
    while (touched < placed.slabs) {
      const before = this.#words.compareExchange(placed.touchedWord, touched, touched + 1); // (N2)
      const lease = before === touched ? this.#tryTakeSlab(placed, touched, kind) : null;
      if (lease !== null) return lease;
      touched = this.#words.load(placed.touchedWord);
    }
    return null;
  }

  #tryTakeSlab(placed: PlacedClass, index: number, kind: PayloadKind): Lease | null {
    const slab = placed.firstSlab + index;
    const generation = this.#slabs.tryTake(slab, kind.byteLength);
    if (generation === refusedLease) return null;
    const payload = this.#payloadOf(kind, placed, slab, generation);
    return new Lease(this.#slabs, payload, 0, this.#slabs.wordOf(slab, 0));
  }

  #leaseOf(reference: ArenaReference, placed: PlacedClass, word: number): Lease {
    const { slab, generation, lease } = reference;
    const payload = this.#payloadOf(reference, placed, slab, generation);
    return new Lease(this.#slabs, payload, lease, word);
  }

  #payloadOf(kind: PayloadKind, placed: PlacedClass, slab: number, generation: number): Payload {
    const { dtype, shape, byteLength } = kind;
    const offset = placed.dataOffset + (slab - placed.firstSlab) * placed.slabBytes;
    return { memory: this.#memory, offset, slab, generation, dtype, shape, byteLength };
  }

  /** Index of the smallest class that holds `byteLength`. */
  #classOf(byteLength: number): number {
    const { classes } = this.#layout;
    for (let index = 0; index < classes.length; index += 1) {
      if ((classes[index]?.slabBytes ?? 0) >= byteLength) return index;
    }
    const { payloadBytesMax } = this;
    throw new RuntimeError(
      'BUS_ARENA_TOO_LARGE',
      `A payload of ${byteLength} bytes does not fit the arena, which takes ${payloadBytesMax}.`,
      { details: { byteLength, payloadBytesMax } },
    );
  }

  #classOfSlab(slab: number): PlacedClass | undefined {
    for (const placed of this.#layout.classes) {
      if (slab < placed.firstSlab + placed.slabs) return placed;
    }
    return undefined;
  }
}

function stale(reference: ArenaReference): RuntimeError {
  const { slab, generation, lease, serial } = reference;
  return new RuntimeError(
    'BUS_ARENA_STALE',
    `Payload ${slab}.${generation}.${lease}.${serial} is not there for this thread.`,
    { details: { slab, generation, lease, serial } },
  );
}
