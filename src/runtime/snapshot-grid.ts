/**
 * Snapshots of hibernated actors in shared memory, in slabs of a few sizes.
 * Any thread stores and any thread takes; nobody waits for another.
 *
 * ```
 *  pages taken, a word | heads of the free lists, u64 each | class of each page, u8 | pages
 *
 *  slab   0         4
 *         +---------+-----------+
 *         | length  | snapshot  |      in a free slab the length is the place of the next one
 *         +---------+-----------+
 * ```
 *
 * Invariants
 *   G1. A place is taken once: its holder got it from a swap that only one
 *       thread can win (D2 of the directory).
 *   G2. A head carries a count beside the place, so that a slab which left a
 *       list and came back does not look as if nothing had happened.
 *   G3. A page keeps its class. A snapshot without room stays out: the journal
 *       has it as well.
 */
import { assert } from '../kernel/assert.ts';

const pageBytes = 65_536;
const lengthBytes = 4;
/** Places are counted in this; 0 means none. */
const unitBytes = 16;
const classes = [
  64, 96, 128, 160, 192, 224, 256, 320, 384, 512, 768, 1_024, 2_048, 4_096, 8_192, 16_384, 65_536,
] as const;
const headsOffset = 8;
const pageClassesOffset = headsOffset + 8 * classes.length;

export class SnapshotGrid {
  readonly #words: Int32Array;
  readonly #heads: BigUint64Array;
  readonly #pageClasses: Uint8Array;
  readonly #bytes: Uint8Array;
  readonly #pages: number;
  /** Offset of the first page. */
  readonly #begin: number;

  /** The range is zeroed when the first thread opens it; it begins at a multiple of 16. */
  constructor(memory: SharedArrayBuffer, offsetBytes: number, lengthBytes: number) {
    this.#words = new Int32Array(memory, offsetBytes, lengthBytes / 4);
    this.#heads = new BigUint64Array(memory, offsetBytes + headsOffset, classes.length);
    this.#bytes = new Uint8Array(memory, offsetBytes, lengthBytes);
    const most = Math.floor(lengthBytes / pageBytes);
    this.#pageClasses = new Uint8Array(memory, offsetBytes + pageClassesOffset, most);
    this.#begin = Math.ceil((pageClassesOffset + most) / unitBytes) * unitBytes;
    this.#pages = Math.floor((lengthBytes - this.#begin) / pageBytes);
  }

  /** Bytes of the pages in use. */
  get usedBytes(): number {
    return Math.min(Atomics.load(this.#words, 0), this.#pages) * pageBytes;
  }

  /** Copies a snapshot in; its place, or 0 when there is no room for it (G3). */
  store(snapshot: Uint8Array): number {
    const kind = classes.findIndex((slab) => slab >= snapshot.length + lengthBytes);
    if (kind < 0) return 0;
    const place = this.#pop(kind) || this.#carve(kind);
    if (place === 0) return 0;
    const at = place * unitBytes;
    this.#words[at / 4] = snapshot.length;
    this.#bytes.set(snapshot, at + lengthBytes);
    return place;
  }

  /** Copies a snapshot out and frees its place; the caller is the only one who has it (G1). */
  take(place: number): Buffer {
    const at = place * unitBytes;
    const length = this.#words[at / 4] ?? 0;
    const copy = Buffer.from(this.#bytes.subarray(at + lengthBytes, at + lengthBytes + length));
    this.free(place);
    return copy;
  }

  /** Gives a place back unread. */
  free(place: number): void {
    const page = Math.floor((place * unitBytes - this.#begin) / pageBytes);
    const kind = Atomics.load(this.#pageClasses, page);
    this.#push(kind, place, place);
  }

  /** Frees every place, those too that a dead thread had. Only while no thread stores or takes. */
  clear(): void {
    for (let kind = 0; kind < classes.length; kind += 1) Atomics.store(this.#heads, kind, 0n);
    Atomics.store(this.#words, 0, 0);
  }

  #next(place: number): number {
    return (place * unitBytes) / 4;
  }

  #pop(kind: number): number {
    for (;;) {
      const head = Atomics.load(this.#heads, kind);
      const place = Number(head & 0xffff_ffffn);
      if (place === 0) return 0;
      // Another thread may be writing here by now; then the count has changed (G2).
      const next = BigInt(Atomics.load(this.#words, this.#next(place)) >>> 0);
      const changed = (((head >> 32n) + 1n) << 32n) | next;
      if (this.#swap(kind, head, changed)) return place;
    }
  }

  /** Puts a chain of free slabs on the list. */
  #push(kind: number, first: number, last: number): void {
    for (;;) {
      const head = Atomics.load(this.#heads, kind);
      Atomics.store(this.#words, this.#next(last), Number(head & 0xffff_ffffn));
      const changed = (((head >> 32n) + 1n) << 32n) | BigInt(first);
      if (this.#swap(kind, head, changed)) return;
    }
  }

  #swap(kind: number, from: bigint, to: bigint): boolean {
    const changed = BigInt.asUintN(64, to);
    return Atomics.compareExchange(this.#heads, kind, from, changed) === from;
  }

  /** Cuts a fresh page into slabs; the first is the caller's, the others are free. */
  #carve(kind: number): number {
    if (Atomics.load(this.#words, 0) >= this.#pages) return 0;
    const page = Atomics.add(this.#words, 0, 1);
    if (page >= this.#pages) return 0;
    Atomics.store(this.#pageClasses, page, kind);
    const slabBytes = classes[kind];
    assert(slabBytes !== undefined, 'a known class');
    const first = (this.#begin + page * pageBytes) / unitBytes;
    const step = slabBytes / unitBytes;
    const slabs = Math.floor(pageBytes / slabBytes);
    for (let slab = 1; slab < slabs - 1; slab += 1) {
      const place = first + slab * step;
      Atomics.store(this.#words, this.#next(place), place + step);
    }
    if (slabs > 1) this.#push(kind, first + step, first + (slabs - 1) * step);
    return first;
  }
}
