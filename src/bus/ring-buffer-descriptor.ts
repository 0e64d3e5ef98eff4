/**
 * Where everything lies in the memory of a ring. Layout is data: no algorithm
 * spells an offset.
 *
 *   byte 0          128            256            384        384 + slots × 16
 *   ┌──────────────┬──────────────┬──────────────┬────────────────┬──────────────┐
 *   │ tail   int64 │ head   int64 │ sleep  int32 │ record entries │ data         │
 *   │ producers    │ consumer     │ both         │ 16 B per slot  │ 64 B per slot│
 *   └──────────────┴──────────────┴──────────────┴────────────────┴──────────────┘
 *
 * The control words are 128 bytes apart, so that no two of them share a cache
 * line nor the pair of lines that the processor prefetches together.
 *
 * Tail and head count slots since the ring was made. They are 64 bits wide: a
 * counter of 32 bits would pass the same value again after 2^32 slots, and a
 * producer that slept meanwhile would win its CAS with a stale tail.
 *
 * Record headers lie outside the data area, so no payload, however hostile,
 * can look like a header, and the consumer has one word to clear for a
 * message instead of all its bytes.
 */
import { assert } from '../kernel/assert.ts';
import { recordEntryBytes } from './record-descriptor.ts';

/** The unit of claims, in bytes: one cache line. */
export const slotBytes = 64;

const controlStrideBytes = 128;
const controlBytes = 3 * controlStrideBytes;

/** Positions of the control words in a BigInt64Array over the whole memory. */
export const tailWord = 0;
export const headWord = controlStrideBytes / 8;
/** Position of the sleep word in an Int32Array over the whole memory. */
export const sleepWord = (2 * controlStrideBytes) / 4;

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
  readonly entriesOffset: number;
  readonly dataOffset: number;
  readonly totalBytes: number;
}

/** Layout of a ring whose data area has `capacityBytes`, a power of two from 1 KiB to 1 GiB. */
export function ringLayout(capacityBytes: number): RingLayout {
  assert(isCapacity(capacityBytes), `not a ring capacity: ${capacityBytes}`);
  const slots = capacityBytes / slotBytes;
  const dataOffset = controlBytes + slots * recordEntryBytes;
  return {
    capacityBytes,
    slots,
    entriesOffset: controlBytes,
    dataOffset,
    totalBytes: dataOffset + capacityBytes,
  };
}

/** Layout of existing ring memory, told from its size alone. */
export function ringLayoutOf(memory: SharedArrayBuffer): RingLayout {
  const slots = (memory.byteLength - controlBytes) / (slotBytes + recordEntryBytes);
  return ringLayout(slots * slotBytes);
}
