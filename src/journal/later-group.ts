/**
 * Tells damage from an end. A group that is not whole is a torn tail, or a
 * group that a live writer is just writing, as long as nothing follows it; a
 * later group was written only after this one was durable.
 */
import { headerPlausible, recordCrc } from './record.ts';
import { recordDescriptor as at, recordAlignment } from './record-descriptor.ts';

/**
 * Whether any whole record in `bytes`, which lie from `groupStart` on in a
 * segment, says that bytes behind `groupStart` were durable before it.
 */
export function laterGroupExists(
  bytes: Buffer,
  place: { groupStart: number; seed: number },
): boolean {
  const last = bytes.length - at.headerBytes;
  for (let index = recordAlignment; index <= last; index += recordAlignment) {
    if (bytes[index + at.typeOffset] === 0 || !headerPlausible(bytes, index)) continue;
    if (bytes.readUInt32LE(index + at.groupOffset) <= place.groupStart) continue;
    if (index + bytes.readUInt32LE(index + at.lengthOffset) > bytes.length) continue;
    const fileOffset = place.groupStart + index;
    const crc = recordCrc(bytes, index, { seed: place.seed, fileOffset });
    if (crc === bytes.readUInt32LE(index + at.crcOffset)) return true;
  }
  return false;
}
