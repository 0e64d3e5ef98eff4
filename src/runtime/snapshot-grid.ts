/**
 * Snapshots of hibernated actors in shared memory, in slabs of a few sizes.
 * Any thread stores and any thread takes; nobody waits for another.
 *
 * ```
 *  pages taken, a word | heads of the free lists, u64 each | class of each page, u8 | pages
 *
 *  slab   0          4        6     8
 *         +----------+--------+-----+-----------+
 *         | checksum | length | tag | snapshot  |   in a free slab the first word is the
 *         | u32      | u16    | u16 |           |   place of the next one
 *         +----------+--------+-----+-----------+
 * ```
 *
 * Invariants
 *   G1. A place is taken once: its holder got it from a swap that only one
 *       thread can win (D2 of the directory).
 *   G2. A head carries beside the place a count that rises whenever slabs come
 *       back, so that one which left a list and came back does not look as if
 *       nothing had happened.
 *   G3. A page keeps its class. A snapshot without room stays out: the journal
 *       has it as well.
 *   G4. A thread keeps some of the small slabs that it freed for its own next
 *       snapshots. Those of a dead thread are free again after a clear.
 *   G5. The checksum covers length, tag, snapshot and whose it is; any change
 *       of one word is seen, and others but one in 2^32.
 */
import { assert } from '../kernel/assert.ts';

const pageBytes = 65_536;
const slabHeaderBytes = 8;
/** Places are counted in this; 0 means none. */
const unitBytes = 16;
const classes = [
  32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 256, 320, 384, 512, 768, 1_024, 2_048,
  4_096, 8_192, 16_384, 65_536,
] as const;
const headsOffset = 8;
const pageClassesOffset = headsOffset + 8 * classes.length;

/** Slabs up to this size are kept by the thread that freed them, as many of each size (G4). */
const keptBytesMax = 1_024;
const keptMax = 64;
const keptClasses = classes.filter((bytes) => bytes <= keptBytesMax).length;

/** Of `toString('latin1')` what is left without its looking at arguments. */
type LatinBuffer = Buffer & { latin1Slice(start: number, end: number): string };

/** Whose slab it is, in two words; and a number of the owner's own, below 65,536. */
export interface SlabSeal {
  readonly low: number;
  readonly high: number;
}

function classFor(lengthBytes: number): number {
  return classes.findIndex((slab) => slab >= lengthBytes + slabHeaderBytes);
}

export class SnapshotGrid {
  readonly #words: Int32Array;
  readonly #heads: BigUint64Array;
  readonly #pageClasses: Uint8Array;
  /** All of it; what `open` found lies at `at`. */
  readonly bytes: LatinBuffer;
  readonly #pages: number;
  readonly #kept: number[][] = Array.from({ length: keptClasses }, () => []);
  /** Offset of the first page. */
  readonly #begin: number;
  /** Of the slab that was opened last: where its snapshot lies in `bytes`, its length, its tag. */
  at = 0;
  length = 0;
  tag = 0;

  /** The range is zeroed when the first thread opens it; it begins at a multiple of 16. */
  constructor(memory: SharedArrayBuffer, offsetBytes: number, lengthBytes: number) {
    this.#words = new Int32Array(memory, offsetBytes, lengthBytes / 4);
    this.#heads = new BigUint64Array(memory, offsetBytes + headsOffset, classes.length);
    this.bytes = Buffer.from(memory, offsetBytes, lengthBytes) as unknown as LatinBuffer;
    const most = Math.floor(lengthBytes / pageBytes);
    this.#pageClasses = new Uint8Array(memory, offsetBytes + pageClassesOffset, most);
    this.#begin = Math.ceil((pageClassesOffset + most) / unitBytes) * unitBytes;
    this.#pages = Math.floor((lengthBytes - this.#begin) / pageBytes);
  }

  /** Bytes of the pages in use. */
  get usedBytes(): number {
    return Math.min(Atomics.load(this.#words, 0), this.#pages) * pageBytes;
  }

  /** Bytes of the pages that nobody has used yet. */
  get freeBytes(): number {
    return this.#pages * pageBytes - this.usedBytes;
  }

  /**
   * Copies a snapshot in; its place, or 0 when there is no room for it (G3).
   * @param tag A number of the caller's own, below 65,536.
   */
  store(snapshot: Uint8Array, tag: number, seal: SlabSeal): number {
    const kind = classFor(snapshot.length);
    if (kind < 0) return 0;
    const place = this.#kept[kind]?.pop() ?? (this.#pop(kind) || this.#carve(kind));
    if (place === 0) return 0;
    const at = place * unitBytes;
    const word = at / 4;
    this.#words[word + 1] = snapshot.length | (tag << 16);
    this.bytes.set(snapshot, at + slabHeaderBytes);
    this.#words[word] = this.#checksum(word, snapshot.length, seal);
    return place;
  }

  /**
   * Finds what is stored here: `at`, `length` and `tag` say so. False when it is
   * damaged or not the snapshot of this seal (G5); then they say nothing. The
   * caller is the only one who has the place, until it frees it (G1).
   */
  open(place: number, seal: SlabSeal): boolean {
    const word = place * (unitBytes / 4);
    const header = this.#words[word + 1] ?? 0;
    const length = header & 0xffff;
    const at = place * unitBytes + slabHeaderBytes;
    if (at + length > this.bytes.length) return false;
    if (this.#words[word] !== this.#checksum(word, length, seal)) return false;
    this.at = at;
    this.length = length;
    this.tag = header >>> 16;
    return true;
  }

  /** What was opened, each byte as a character below 256. */
  read(): string {
    return this.bytes.latin1Slice(this.at, this.at + this.length);
  }

  /** Gives a place back. */
  free(place: number): void {
    const kind = this.classOf(place);
    const kept = this.#kept[kind];
    if (kept === undefined) this.#push(kind, place, place);
    else if (kept.push(place) >= keptMax) this.#pushAll(kind, kept.splice(keptMax / 2));
  }

  /** Which size a place has. */
  classOf(place: number): number {
    const page = Math.floor((place * unitBytes - this.#begin) / pageBytes);
    return Atomics.load(this.#pageClasses, page);
  }

  /** Which size a snapshot takes; -1 when none is large enough. */
  classOfLength(lengthBytes: number): number {
    return classFor(lengthBytes);
  }

  /** Frees every place, those too that a dead thread had. Only while no thread stores or takes. */
  clear(): void {
    for (const kept of this.#kept) kept.length = 0;
    for (let kind = 0; kind < classes.length; kind += 1) Atomics.store(this.#heads, kind, 0n);
    Atomics.store(this.#words, 0, 0);
  }

  #checksum(word: number, lengthBytes: number, { low, high }: SlabSeal): number {
    const words = this.#words;
    // The last word is summed whole; what is behind the snapshot in it stays as it is.
    // Two sums at once, each over every second word: a processor takes both in the time of one.
    let sum = Math.imul(low, 0x9e3779b1) ^ high;
    let other = 0x7f4a7c15;
    const end = word + 2 + ((lengthBytes + 3) >> 2);
    let at = word + 1;
    for (; at + 1 < end; at += 2) {
      sum = Math.imul(sum ^ (words[at] ?? 0), 0x85ebca6b);
      sum ^= sum >>> 15;
      other = Math.imul(other ^ (words[at + 1] ?? 0), 0xc2b2ae35);
      other ^= other >>> 13;
    }
    if (at < end) sum = Math.imul(sum ^ (words[at] ?? 0), 0x85ebca6b);
    return sum ^ Math.imul(other, 0x9e3779b1);
  }

  #next(place: number): number {
    return (place * unitBytes) / 4;
  }

  #pop(kind: number): number {
    for (;;) {
      const head = Atomics.load(this.#heads, kind);
      const place = Number(head & 0xffff_ffffn);
      if (place === 0) return 0;
      // Another thread may be writing here by now; then the head has changed (G2).
      const next = BigInt(Atomics.load(this.#words, this.#next(place)) >>> 0);
      const changed = ((head >> 32n) << 32n) | next;
      if (this.#swap(kind, head, changed)) return place;
    }
  }

  #pushAll(kind: number, places: readonly number[]): void {
    const [first, ...others] = places;
    assert(first !== undefined, 'there is something to free');
    let last = first;
    for (const place of others) {
      Atomics.store(this.#words, this.#next(last), place);
      last = place;
    }
    this.#push(kind, first, last);
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
