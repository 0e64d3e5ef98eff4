/**
 * A segment file: of its full size from the start, with a header that ties it
 * to the one before it. Zeros fill it, or in a burst nothing does: a hole reads
 * as zeros, too.
 *
 * ```
 *    0          8         12        16         20       24
 *   +----------+---------+---------+----------+--------+-----------+
 *   | magic    | CRC32C  | version | number   | bytes  | salt (8)  |
 *   +----------+---------+---------+----------+--------+-----------+
 *   32                   40
 *   +--------------------+---------------------------+------ - - --+
 *   | first sequence u64 | seal before it (32)       | zero to 128 |
 *   +--------------------+---------------------------+------ - - --+
 * ```
 *
 * Invariants
 *   S1. A segment appears under its name only when it is complete: written,
 *       synced, then renamed. A file with the name `….tmp` is nothing.
 *   S2. Segment n + 1 is created only after the last group of segment n is
 *       durable. So where it exists, damage in segment n is corruption.
 *   S3. Magic, CRC and version keep their place in every version, so that an
 *       older program can tell "newer" from "damaged".
 *   S4. What no group has replaced reads as zero, whether the disk has a place for
 *       it or not. Zeros spare each fdatasync the allocation, but are bytes
 *       themselves: where groups are large, they cost more than they spare.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { crc32c } from './crc32c.ts';
import { type FilePort, readFully, writeFully } from './file-port.ts';
import { recordChecksum } from './record-checksum.ts';
import {
  alignRecord,
  digestBytes,
  readUint64,
  recordDescriptor,
  writeUint64,
} from './record-descriptor.ts';

const at = {
  magic: 0,
  crc: 8,
  version: 12,
  number: 16,
  bytes: 20,
  salt: 24,
  firstSequence: 32,
  previousSeal: 40,
} as const;

export const segmentHeaderBytes = 128;
/** Smallest segment that is worth its header. */
const segmentBytesMin = 16 * 1024;
/** Of the segments that are written; older ones are read. */
export const segmentVersion = 3;
const magic = Buffer.from('CLAWJRNL', 'latin1');
const saltBytes = 8;
const zeroChunkBytes = 1024 * 1024;
const namePattern = /^(\d{10})\.segment$/;

export interface SegmentHeader {
  /** Version of its format. */
  readonly version: number;
  /** From 1 without gaps. */
  readonly number: number;
  /** Size of the file. */
  readonly bytes: number;
  /** Seed of the CRC of its records (L4). */
  readonly seed: number;
  /** Sequence of its first record. */
  readonly firstSequence: number;
  /** The last seal of the segment before, zeros for the first. */
  readonly previousSeal: Buffer;
}

/** What a new segment does not get by itself. */
type NewSegment = Omit<SegmentHeader, 'seed' | 'version'>;

/** Size of a segment that holds groups of so many bytes, their seals, and a mark. */
export function segmentBytesFor(groups: readonly number[]): number {
  const own = recordDescriptor.headerBytes;
  const needed = groups.reduce((sum, bytes) => sum + bytes + own, segmentHeaderBytes + 2 * own);
  return Math.max(segmentBytesMin, alignRecord(needed));
}

export function segmentPath(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(10, '0')}.segment`);
}

/** Numbers of the segment files in a folder, ascending. */
export function listSegmentFiles(files: FilePort, folder: string): number[] {
  return files
    .list(folder)
    .flatMap((name) => {
      const match = namePattern.exec(name);
      return match ? [Number(match[1])] : [];
    })
    .sort((left, right) => left - right);
}

/** Where the next segment is made before it gets its name (S1). */
export function unfinishedPath(folder: string): string {
  return join(folder, 'next.segment.tmp');
}

/**
 * What fills a new segment (S4): an open file of zeros at `unfinishedPath`, zeros
 * that are written now, or a hole.
 */
export type SegmentFilling = { readonly prepared: number } | 'zeros' | 'hole';

/** Creates the next segment durably (S1) and returns it open. Throws what the port throws. */
export function createSegment(
  files: FilePort,
  folder: string,
  header: NewSegment,
  filling: SegmentFilling,
): number {
  assert(header.bytes >= segmentBytesMin && header.bytes % 8 === 0, 'a usable segment size');
  const bytes = encodeHeader(header);
  const prepared = typeof filling === 'object' ? filling.prepared : null;
  const file = prepared ?? files.open(unfinishedPath(folder), 'wx');
  try {
    if (filling === 'hole') files.truncate(file, header.bytes);
    writeFully(files, file, bytes, { offset: 0, length: bytes.length, position: 0 });
    if (filling === 'zeros') {
      writeZeros(files, file, { from: segmentHeaderBytes, to: header.bytes });
    }
    files.fdatasync(file);
    files.rename(unfinishedPath(folder), segmentPath(folder, header.number));
    files.syncFolder(folder);
    return file;
  } catch (error) {
    files.close(file);
    throw error;
  }
}

function encodeHeader(header: NewSegment): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  magic.copy(bytes, at.magic);
  bytes.writeUInt32LE(segmentVersion, at.version);
  bytes.writeUInt32LE(header.number, at.number);
  bytes.writeUInt32LE(header.bytes, at.bytes);
  randomBytes(saltBytes).copy(bytes, at.salt);
  writeUint64(bytes, header.firstSequence, at.firstSequence);
  header.previousSeal.copy(bytes, at.previousSeal);
  bytes.writeUInt32LE(crc32c(bytes, at.version), at.crc);
  return bytes;
}

export function writeZeros(
  files: FilePort,
  file: number,
  { from, to }: { from: number; to: number },
): void {
  const zeros = Buffer.alloc(Math.min(zeroChunkBytes, Math.max(0, to - from)));
  for (let position = from; position < to; position += zeros.length) {
    const length = Math.min(zeros.length, to - position);
    writeFully(files, file, zeros, { offset: 0, length, position });
  }
}

/**
 * Reads and verifies the header of an open segment.
 * @throws RuntimeError JOURNAL_CORRUPT, or DATA_VERSION_NEWER (S3).
 */
export function readSegmentHeader(files: FilePort, file: number, number: number): SegmentHeader {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  const read = readFully(files, file, bytes, { offset: 0, length: bytes.length, position: 0 });
  const intact =
    read === bytes.length &&
    bytes.subarray(at.magic, at.magic + magic.length).equals(magic) &&
    bytes.readUInt32LE(at.crc) === crc32c(bytes, at.version);
  if (!intact) throw corrupt({ segment: number, offset: 0 }, 'its header is damaged');
  const version = bytes.readUInt32LE(at.version);
  if (version > segmentVersion) {
    throw new RuntimeError(
      'DATA_VERSION_NEWER',
      `Segment ${number} of the journal has format ${version}, and this program reads up to ${segmentVersion}; upgrade the program.`,
      { details: { segment: number, version } },
    );
  }
  if (bytes.readUInt32LE(at.number) !== number) {
    throw corrupt({ segment: number, offset: at.number }, 'its header names another segment');
  }
  return {
    version,
    number,
    bytes: bytes.readUInt32LE(at.bytes),
    seed: recordChecksum(version)(bytes, at.salt, at.salt + saltBytes),
    firstSequence: readUint64(bytes, at.firstSequence),
    previousSeal: bytes.subarray(at.previousSeal, at.previousSeal + digestBytes),
  };
}

/** Details of JOURNAL_CORRUPT where a segment is damaged. */
export interface CorruptionDetails {
  readonly segment: number;
  readonly offset: number;
  readonly what: string;
  readonly lastGoodSequence?: number;
}

/** Where an error says that a segment is damaged; null for any other error. */
export function corruptionOf(error: unknown): CorruptionDetails | null {
  if (!(error instanceof RuntimeError) || error.code !== 'JOURNAL_CORRUPT') return null;
  const { details } = error;
  return details !== undefined && 'segment' in details
    ? (details as unknown as CorruptionDetails) // Made below, and nowhere else.
    : null;
}

/** Damage that no crash explains, with the place and the last record before it that is good. */
export function corrupt(place: Omit<CorruptionDetails, 'what'>, what: string): RuntimeError {
  const good =
    place.lastGoodSequence === undefined
      ? ''
      : ` The last good record has sequence ${place.lastGoodSequence}.`;
  return new RuntimeError(
    'JOURNAL_CORRUPT',
    `Segment ${place.segment} of the journal is damaged at offset ${place.offset}: ${what}.${good} Restore the data directory from a copy, or see claw journal repair.`,
    { details: { ...place, what } },
  );
}
