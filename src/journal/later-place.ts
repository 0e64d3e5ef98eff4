/**
 * Where a journal can be read again behind damage. Groups are found by
 * themselves: their first record names its own offset as the group's, its CRC
 * holds, and the seal at their end names the seal before them.
 */
import { listSegments } from './compaction.ts';
import { type FilePort, readFully } from './file-port.ts';
import { headerPlausible, type JournalPosition, recordCrc, typeAt } from './record.ts';
import {
  alignRecord,
  recordDescriptor as at,
  digestBytes,
  readUint64,
  recordAlignment,
} from './record-descriptor.ts';
import {
  readSegmentHeader,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentPath,
} from './segment.ts';

/** A place between two groups, and what a reader must know to go on there. */
export interface GroupPlace extends JournalPosition {
  /** Of the last record before it. */
  readonly sequence: number;
  /** The last seal before it. */
  readonly seal: Buffer;
}

/** The first place behind `from` at which a whole group begins, or a segment; null when there is none. */
export function findLaterPlace(
  files: FilePort,
  folder: string,
  from: JournalPosition,
): GroupPlace | null {
  for (const number of listSegments(files, folder)) {
    if (number < from.segment) continue;
    const place = placeIn(files, folder, number, from);
    if (place !== null) return place;
  }
  return null;
}

function placeIn(
  files: FilePort,
  folder: string,
  number: number,
  from: JournalPosition,
): GroupPlace | null {
  const file = files.open(segmentPath(folder, number), 'r');
  try {
    const header = tryReadHeader(files, file, number);
    // Without the header nobody knows the seed of the checksums.
    if (header === null) return null;
    if (number > from.segment) {
      const { firstSequence, previousSeal: seal } = header;
      return { segment: number, offset: segmentHeaderBytes, sequence: firstSequence - 1, seal };
    }
    const start = Math.max(segmentHeaderBytes, from.offset + recordAlignment);
    const bytes = Buffer.alloc(Math.max(0, header.bytes - start));
    readFully(files, file, bytes, { offset: 0, length: bytes.length, position: start });
    return groupIn(bytes, start, header);
  } finally {
    files.close(file);
  }
}

function tryReadHeader(files: FilePort, file: number, number: number): SegmentHeader | null {
  try {
    return readSegmentHeader(files, file, number);
  } catch {
    return null;
  }
}

/** The first whole group in `bytes`, which lie from `start` on in the segment. */
function groupIn(bytes: Buffer, start: number, header: SegmentHeader): GroupPlace | null {
  for (let index = 0; index + at.headerBytes <= bytes.length; index += recordAlignment) {
    if (bytes[index + at.typeOffset] === 0) continue;
    const offset = start + index;
    if (bytes.readUInt32LE(index + at.groupOffset) !== offset) continue;
    const seal = sealBefore(bytes, index, { start, header });
    if (seal === null) continue;
    const sequence = readUint64(bytes, index + at.sequenceOffset) - 1;
    return { segment: header.number, offset, sequence, seal };
  }
  return null;
}

/** The seal that the group at `index` continues, or null when the group is not whole. */
function sealBefore(
  bytes: Buffer,
  group: number,
  { start, header }: { start: number; header: SegmentHeader },
): Buffer | null {
  for (let index = group; index + at.headerBytes <= bytes.length; ) {
    if (!headerPlausible(bytes, index)) return null;
    const end = index + alignRecord(bytes.readUInt32LE(index + at.lengthOffset));
    if (end > bytes.length) return null;
    const crc = recordCrc(bytes, index, start + index, header);
    if (crc !== bytes.readUInt32LE(index + at.crcOffset)) return null;
    if (typeAt(bytes, index) === 'seal') {
      const previous = index + at.previousDigestOffset;
      return Buffer.from(bytes.subarray(previous, previous + digestBytes));
    }
    index = end;
  }
  return null;
}
