/**
 * The right of one thread to one payload in the arena: it reads and fills the
 * bytes in place, shares them by further leases, and passes a lease on by
 * sending its reference. The slab stays until its last lease is released.
 *
 * A new payload holds whatever the slab held before: fill it whole. A lease
 * that is neither released nor passed on keeps its slab until its thread ends.
 *
 * Invariants
 *   L1. Bytes, views and references are handed out only while the lease is
 *       held. A view that somebody keeps beyond that sees other payloads;
 *       nothing can take it back.
 *   L2. A payload that more than one lease shares is not written any more.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { ArenaReference } from './arena-reference.ts';
import { serialOf } from './lease-word.ts';
import type { SlabLeases } from './slab-leases.ts';
import { refusedLease } from './slab-leases.ts';
import type { Dtype, Elements } from './tensor.ts';
import { elementsAt } from './tensor.ts';

/** What a payload is. */
export interface PayloadKind {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Follows from dtype and shape. */
  readonly byteLength: number;
}

/** What a payload is and where it lies. */
export interface Payload extends PayloadKind {
  readonly memory: SharedArrayBuffer;
  /** Where its slab begins in the memory, in bytes. */
  readonly offset: number;
  readonly slab: number;
  readonly generation: number;
}

export class Lease implements Disposable {
  readonly #slabs: SlabLeases;
  readonly #payload: Payload;
  readonly #lease: number;
  /** The word of the lease in shared memory. */
  readonly #word: number;
  #isHeld = true;

  /** Leases are made by the arena and by `tryDuplicate`, for one that `slabs` says is held. */
  constructor(slabs: SlabLeases, payload: Payload, lease: number, word: number) {
    this.#slabs = slabs;
    this.#payload = payload;
    this.#lease = lease;
    this.#word = word;
  }

  get dtype(): Dtype {
    return this.#payload.dtype;
  }

  get shape(): readonly number[] {
    return this.#payload.shape;
  }

  get byteLength(): number {
    return this.#payload.byteLength;
  }

  /** False once the lease was released or passed on. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /**
   * The payload, in place.
   * @throws RuntimeError BUS_ARENA_RELEASED
   */
  get bytes(): Buffer {
    this.#checkHeld(); // (L1)
    const { memory, offset, byteLength } = this.#payload;
    return Buffer.from(memory, offset, byteLength);
  }

  /**
   * The elements of the payload, in place: a Float32Array for f32 and so on;
   * for bf16 the raw 16 bits of each as a Uint16Array.
   * @throws RuntimeError BUS_ARENA_RELEASED
   */
  view(): Elements {
    this.#checkHeld(); // (L1)
    const { dtype, memory, offset, byteLength } = this.#payload;
    return elementsAt(dtype, memory, { offset, lengthBytes: byteLength });
  }

  /**
   * Another lease of the same payload (L2), or null when the slab has
   * `limits.arenaLeasesPerSlab` already.
   * @throws RuntimeError BUS_ARENA_RELEASED
   */
  tryDuplicate(): Lease | null {
    this.#checkHeld();
    const lease = this.#slabs.tryGrant(this.#payload.slab);
    if (lease === refusedLease) return null;
    const word = this.#slabs.wordOf(this.#payload.slab, lease);
    return new Lease(this.#slabs, this.#payload, lease, word);
  }

  /**
   * Passes the lease on: from now on it is in flight to the thread with this
   * index (0 to `limits.busThreadsMax` − 1), which accepts it by the reference.
   * Send the reference, or take the lease back with `Arena.takeBack`.
   * @throws RuntimeError BUS_ARENA_RELEASED
   */
  transferTo(thread: number): ArenaReference {
    this.#checkHeld();
    assert(
      Number.isInteger(thread) && thread >= 0 && thread < limits.busThreadsMax,
      `not the index of a thread: ${thread}`,
    );
    const { slab, generation, dtype, shape, byteLength } = this.#payload;
    const sent = this.#slabs.send(slab, this.#lease, this.#word, thread);
    this.#isHeld = false;
    return new ArenaReference({
      slab,
      generation,
      lease: this.#lease,
      serial: serialOf(sent),
      dtype,
      shape,
      byteLength,
    });
  }

  /** Gives the lease up. It does nothing when the lease is not held any more. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#slabs.release(this.#payload.slab, this.#lease, this.#word);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #checkHeld(): void {
    if (this.#isHeld) return;
    throw new RuntimeError(
      'BUS_ARENA_RELEASED',
      'The payload was used after its lease was released or passed on.',
      { details: { slab: this.#payload.slab, generation: this.#payload.generation } },
    );
  }
}
