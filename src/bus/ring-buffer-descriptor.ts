/**
 * Where everything lies in the memory of a ring. Layout is data: no algorithm
 * spells an offset.
 *
 *   byte 0          128            256            384                  8 576
 *   ┌──────────────┬──────────────┬──────────────┬────────────────────┬────────────────┬──────────────┐
 *   │ tail   int64 │ head   int64 │ sleep  int32 │ intents            │ record entries │ data         │
 *   │ producers    │ consumer     │ both         │ 128 B per producer │ 16 B per slot  │ 64 B per slot│
 *   └──────────────┴──────────────┴──────────────┴────────────────────┴────────────────┴──────────────┘
 *
 *   consumer, byte 128    ┌────────────┬────────────────┬─────────────────────┐
 *                         │ head int64 │ gaps     int32 │ slots in gaps int32 │
 *                         └────────────┴────────────────┴─────────────────────┘
 *   intent of a producer  ┌────────────┬────────────┐
 *                         │ low  int32 │ high int32 │   high −1: it claims nothing
 *                         └────────────┴────────────┘
 *
 * The control words are 128 bytes apart, so that no two of them share a cache
 * line nor the pair of lines that the processor prefetches together.
 *
 * Tail, head and intents count slots since the ring was made. They are 64 bits
 * wide: a counter of 32 bits would pass the same value again after 2^32 slots,
 * and a producer that slept meanwhile would win its CAS with a stale tail.
 * Arithmetic on them is exact up to 2^53 slots, 18 years at 1 GB/s.
 *
 * Record headers lie outside the data area, so no payload, however hostile,
 * can look like a header, and the consumer has one word to clear for a
 * message instead of all its bytes.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { recordEntryBytes } from './record-descriptor.ts';

/** The unit of claims, in bytes: one cache line. */
export const slotBytes = 64;

const controlStrideBytes = 128;
const intentsOffset = 3 * controlStrideBytes;
/** Start of the record entries, in bytes. */
const entriesOffset = intentsOffset + limits.busThreadsMax * controlStrideBytes;

/** Indexes of positions, in units of 8 bytes. */
export const tailPosition = 0;
export const headPosition = controlStrideBytes / 8;

/** Indexes of words, in units of 4 bytes. */
export const gapsWord = (controlStrideBytes + 8) / 4;
export const gapSlotsWord = gapsWord + 1;
export const sleepWord = (2 * controlStrideBytes) / 4;
const intentWord = intentsOffset / 4;
const wordsPerIntent = controlStrideBytes / 4;

/** The first word of a producer's intent. */
export function intentWordOf(producer: number): number {
  return intentWord + producer * wordsPerIntent;
}

/** High word of an intent while its producer claims nothing. */
export const noIntent = -1;

const capacityBytesMin = 1_024;
const capacityBytesMax = 2 ** 30;

function isCapacity(capacityBytes: number): boolean {
  return (
    Number.isSafeInteger(capacityBytes) &&
    capacityBytes >= capacityBytesMin &&
    capacityBytes <= capacityBytesMax &&
    (capacityBytes & (capacityBytes - 1)) === 0
  );
}

/** Sizes and offsets of a ring, in bytes. */
interface RingLayout {
  readonly capacityBytes: number;
  readonly slots: number;
  /** First word of the record entries, in units of 4 bytes. */
  readonly entriesWord: number;
  readonly dataOffset: number;
  readonly totalBytes: number;
}

/** Layout of a ring whose data area has `capacityBytes`, a power of two from 1 KiB to 1 GiB. */
export function ringLayout(capacityBytes: number): RingLayout {
  assert(isCapacity(capacityBytes), `not a ring capacity: ${capacityBytes}`);
  const slots = capacityBytes / slotBytes;
  const dataOffset = entriesOffset + slots * recordEntryBytes;
  return {
    capacityBytes,
    slots,
    entriesWord: entriesOffset / 4,
    dataOffset,
    totalBytes: dataOffset + capacityBytes,
  };
}

/** Layout of existing ring memory, told from its size alone. */
export function ringLayoutOf(memory: SharedArrayBuffer): RingLayout {
  const slots = (memory.byteLength - entriesOffset) / (slotBytes + recordEntryBytes);
  return ringLayout(slots * slotBytes);
}
