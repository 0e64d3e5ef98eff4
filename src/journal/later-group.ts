/**
 * Tells damage from an end. A group that is not whole is a torn tail, or a
 * group that a live writer is just writing, as long as no later group says that
 * it was durable.
 */
import { headerPlausible, recordCrc } from './record.ts';
import { recordDescriptor as at, recordAlignment } from './record-descriptor.ts';
import type { SegmentHeader } from './segment.ts';

/** Offset up to which the segment was durable before the record at `offset` of `bytes` was written (L3). */
export function durableBefore(
  bytes: Buffer,
  offset: number,
  { version }: Pick<SegmentHeader, 'version'>,
): number {
  return bytes.readUInt32LE(offset + (version === 1 ? at.groupOffset : at.durableOffset));
}

/**
 * Whether any whole record in `bytes`, which lie from `groupStart` on in a
 * segment, says that bytes behind `groupStart` were durable before it.
 */
export function laterGroupExists(
  bytes: Buffer,
  groupStart: number,
  header: Pick<SegmentHeader, 'seed' | 'version'>,
): boolean {
  const last = bytes.length - at.headerBytes;
  for (let index = recordAlignment; index <= last; index += recordAlignment) {
    if (bytes[index + at.typeOffset] === 0 || !headerPlausible(bytes, index)) continue;
    if (durableBefore(bytes, index, header) <= groupStart) continue;
    if (index + bytes.readUInt32LE(index + at.lengthOffset) > bytes.length) continue;
    const crc = recordCrc(bytes, index, groupStart + index, header);
    if (crc === bytes.readUInt32LE(index + at.crcOffset)) return true;
  }
  return false;
}
