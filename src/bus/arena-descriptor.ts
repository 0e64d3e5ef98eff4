/**
 * Where everything lies in the memory of an arena. Layout is data: no
 * algorithm spells an offset.
 *
 *   byte 0           8                   384             + classes × 128  + slabs × 384
 *   ┌───────────────┬───────────────────┬───────────────┬────────────────┬─────────────┐
 *   │ magic   int32 │ whether a thread  │ one entry for │ one row for    │ slabs, from │
 *   │ classes int32 │ ended, 64 × int32 │ each class    │ each slab      │ a page on   │
 *   └───────────────┴───────────────────┴───────────────┴────────────────┴─────────────┘
 *
 *   class   byte 0         4              8               16
 *           ┌─────────────┬──────────────┬───────────────┬────────────────┐
 *           │ pages int32 │ slabs  int32 │ touched int32 │ refusals int64 │
 *           └─────────────┴──────────────┴───────────────┴────────────────┘
 *   row     byte 0            8             16           20           24
 *           ┌────────────────┬─────────────┬────────────┬────────────┬──────────────────┐
 *           │ generation i64 │ grants  i64 │ row limit  │ length     │ lease words      │
 *           │ odd while live │             │ int32      │ int32      │ 64 × int32       │
 *           └────────────────┴─────────────┴────────────┴────────────┴──────────────────┘
 *
 * `touched` counts the slabs of a class that were ever used; they are its
 * first ones. `grants` counts the leases that were given besides the first,
 * over the life of the slab. Lease words from the row limit on are free.
 * A row begins 128 bytes apart from any other, and what a payload with one
 * lease needs of it is one cache line.
 *
 * Generation and grants are 64 bits wide: a count of 32 bits would pass the
 * same value again, and a thread that slept meanwhile would take it for the
 * one that it knew.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';

/** Slabs of one size. */
export interface ArenaClass {
  /** A multiple of the page of 4,096 bytes, below 2^31 − 1. */
  readonly slabBytes: number;
  readonly slabs: number;
}

const alignmentBytes = 128;
export const pageBytes = 4_096;
const slabsMax = 65_536;
const classesMax = 64;

/** Words of the header, in an Int32Array over the memory. */
export const magicWord = 0;
export const classCountWord = 1;
export const arenaMagic = 0x41524e41;
/** One for each thread: 1 once it has ended, until a thread opens the arena with its index again. */
export const endedWords = 2;

const headerBytes = alignUp((endedWords + limits.busThreadsMax) * 4, alignmentBytes);
const classEntryBytes = alignmentBytes;

/** Offsets inside the entry of a class; `refusalsField` in units of 8 bytes, the others of 4. */
const pagesField = 0;
const slabsField = 1;
const touchedField = 2;
const refusalsField = 2;

/** Offsets inside the row of a slab: positions in units of 8 bytes, words of 4. */
export const generationPosition = 0;
export const grantsPosition = 1;
export const rowLimitField = 4;
export const lengthField = 5;
export const leasesField = 6;

/** The half of a position that tells odd from even, as a word: the first, or on a big-endian host the second. */
export const lowHalf = new Int32Array(new BigInt64Array([1n]).buffer)[0] === 1 ? 0 : 1;

const rowBytes = alignUp((leasesField + limits.arenaLeasesPerSlab) * 4, alignmentBytes);

function alignUp(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** A class of the arena with its place in the memory. */
export interface PlacedClass extends ArenaClass {
  /** Number of its first slab; the others follow. */
  readonly firstSlab: number;
  /** Where its first slab begins, in bytes. */
  readonly dataOffset: number;
  readonly pagesWord: number;
  readonly slabsWord: number;
  readonly touchedWord: number;
  readonly refusalsPosition: number;
}

export interface ArenaLayout {
  readonly classes: readonly PlacedClass[];
  readonly slabs: number;
  /** Where the rows begin, in bytes. */
  readonly rowsOffset: number;
  /** Where the slabs begin, and so the end of all words, in bytes. */
  readonly dataOffset: number;
  readonly totalBytes: number;
}

/** Layout of an arena with the given classes, smallest slabs first. */
export function arenaLayout(classes: readonly ArenaClass[]): ArenaLayout {
  assert(classes.length >= 1 && classes.length <= classesMax, 'an arena has 1 to 64 classes');
  const slabs = classes.reduce((sum, each) => sum + each.slabs, 0);
  assert(slabs <= slabsMax, 'a reference names a slab in 16 bits');
  const rowsOffset = headerBytes + classes.length * classEntryBytes;
  const dataOffset = alignUp(rowsOffset + slabs * rowBytes, pageBytes);
  const placed: PlacedClass[] = [];
  let firstSlab = 0;
  let end = dataOffset;
  for (const [index, { slabBytes, slabs: count }] of classes.entries()) {
    assert(slabBytes % pageBytes === 0 && slabBytes < 2 ** 31 - 1, 'a slab is whole pages');
    assert(slabBytes > (classes[index - 1]?.slabBytes ?? 0), 'every class is larger than the last');
    assert(Number.isSafeInteger(count) && count >= 1, 'a class has slabs');
    const entry = headerBytes + index * classEntryBytes;
    placed.push({
      slabBytes,
      slabs: count,
      firstSlab,
      dataOffset: end,
      pagesWord: entry / 4 + pagesField,
      slabsWord: entry / 4 + slabsField,
      touchedWord: entry / 4 + touchedField,
      refusalsPosition: entry / 8 + refusalsField,
    });
    firstSlab += count;
    end += slabBytes * count;
  }
  return { classes: placed, slabs, rowsOffset, dataOffset, totalBytes: end };
}

/** Layout of existing arena memory, from what its header says. */
export function arenaLayoutOf(memory: SharedArrayBuffer): ArenaLayout {
  const header = new Int32Array(memory, 0, headerBytes / 4);
  assert(header[magicWord] === arenaMagic, 'the memory is an arena');
  const count = header[classCountWord] ?? 0;
  assert(count >= 1 && count <= classesMax, 'an arena has 1 to 64 classes');
  const classes: ArenaClass[] = [];
  for (let index = 0; index < count; index += 1) {
    const entry = new Int32Array(memory, headerBytes + index * classEntryBytes, 4);
    const slabBytes = (entry[pagesField] ?? 0) * pageBytes;
    classes.push({ slabBytes, slabs: entry[slabsField] ?? 0 });
  }
  const layout = arenaLayout(classes);
  assert(layout.totalBytes === memory.byteLength, 'an arena is as long as its classes say');
  return layout;
}

/** Index of the first word of a slab's row, in an Int32Array over the memory. */
export function rowWord(layout: ArenaLayout, slab: number): number {
  return (layout.rowsOffset + slab * rowBytes) / 4;
}
