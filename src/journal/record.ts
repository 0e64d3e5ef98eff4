/**
 * A record of the journal: what producers hand in, and what readers get back.
 *
 * Events of one actor form a chain: each carries the digest of the one before
 * it. Digests are computed by the producers, so that the single writer only
 * checksums and writes.
 *
 * Invariants
 *   E1. The digest does not depend on where the record lies (see L1).
 *   E2. What `encodeRecord` wrote, `decodeRecord` returns unchanged.
 */
import { hash } from 'node:crypto';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { runIdBytes, runIdFromBytes } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { recordChecksum } from './record-checksum.ts';
import {
  alignRecord,
  recordDescriptor as at,
  digestBytes,
  readUint64,
  recordFlags,
  recordMagic,
  runBytes,
  writeUint64,
} from './record-descriptor.ts';
import type { SegmentHeader } from './segment.ts';

/** Frozen: a number on disk never changes its meaning; new types are appended. */
const typeNumbers = {
  event: 1,
  blob: 2,
  snapshot: 3,
  'run-started': 4,
  'run-ended': 5,
  seal: 6,
  mark: 7,
  branch: 8,
  'run-erased': 9,
  'run-keys': 10,
  audit: 11,
} as const;

export type RecordType = keyof typeof typeNumbers;

const typeNames: readonly (RecordType | undefined)[] = [
  undefined,
  ...(Object.keys(typeNumbers) as RecordType[]),
];

/** The intention that a record answers: whose, which step, which of its intentions. */
export interface RecordCause {
  readonly actor: ActorId;
  readonly sequence: number;
  readonly index: number;
}

export interface AppendRecord {
  readonly type: RecordType;
  readonly run: RunId | null;
  readonly actor: ActorId | null;
  /** Position in the actor's own history, from 1; 0 where the record has none. */
  readonly actorSequence: number;
  /** Ownership epoch of the actor, an unsigned 32-bit number. */
  readonly epoch: number;
  readonly cause: RecordCause | null;
  /** Milliseconds since the epoch, an integer. */
  readonly timeMs: number;
  /** Digest of this actor's previous event record, 32 bytes; null for its first. */
  readonly previousDigest: Buffer | null;
  readonly body: Buffer;
  /** Of a blob: its content is a zstd frame. */
  readonly compressed?: boolean;
  /** The body, of a blob its content, is encrypted with the keys of the run. */
  readonly encrypted?: boolean;
}

export interface JournalPosition {
  /** Number of the segment, from 1. */
  readonly segment: number;
  /** Byte offset inside it. */
  readonly offset: number;
}

export interface StoredRecord extends AppendRecord {
  readonly position: JournalPosition;
  /** Place in the whole log, from 1 without gaps. */
  readonly sequence: number;
  readonly digest: Buffer;
}

/** A record whose body can be read, however it is stored. */
export interface ReadableRecord extends StoredRecord {
  /** The record as it is stored, where that is another: encrypted. */
  readonly stored?: StoredRecord;
  /** The keys of its run are gone or others, and its body is empty here. */
  readonly unreadable?: true;
}

/** Bytes that the record takes in the ring or a segment, padding included. */
export function encodedBytes(record: AppendRecord): number {
  return alignRecord(unpaddedBytes(record));
}

function unpaddedBytes(record: AppendRecord): number {
  const names = (record.actor?.length ?? 0) + (record.cause?.actor.length ?? 0);
  return at.headerBytes + names + record.body.length;
}

/**
 * Writes the record at `offset`, digest included; sequence, group and CRC stay
 * zero until the writer knows them. Returns the offset behind its padding.
 * @param digest Stored instead of the content's, which costs as much as all else in a short
 *   record: a seal has its own.
 * @throws RuntimeError JOURNAL_RECORD_TOO_LARGE above `limits.recordBytesMax`.
 */
export function encodeRecord(
  record: AppendRecord,
  bytes: Buffer,
  offset: number,
  digest: Buffer | null = null,
): number {
  const length = unpaddedBytes(record);
  if (length > limits.recordBytesMax) {
    throw new RuntimeError(
      'JOURNAL_RECORD_TOO_LARGE',
      `A journal record has ${length} bytes, more than ${limits.recordBytesMax}; store its large texts as blobs.`,
    );
  }
  const end = offset + alignRecord(length);
  assert(end <= bytes.length, 'the record fits into the buffer');
  bytes.fill(0, offset, offset + at.headerBytes);
  bytes.writeUInt32LE(length, offset + at.lengthOffset);
  encodeHeader(record, bytes, offset);
  let cursor = offset + at.headerBytes;
  if (record.actor !== null) cursor += bytes.write(record.actor, cursor, 'latin1');
  if (record.cause !== null) cursor += bytes.write(record.cause.actor, cursor, 'latin1');
  cursor += record.body.copy(bytes, cursor);
  bytes.fill(0, cursor, end);
  if (digest !== null) digest.copy(bytes, offset + at.digestOffset);
  else bytes.write(contentDigest(bytes, offset, length), offset + at.digestOffset, 'latin1');
  return end;
}

function encodeHeader(record: AppendRecord, bytes: Buffer, offset: number): void {
  const { run, actor, cause, previousDigest } = record;
  assert(Number.isSafeInteger(record.timeMs) && record.timeMs >= 0, 'timeMs is whole, from 0');
  bytes.writeUInt16LE(recordMagic, offset + at.magicOffset);
  bytes[offset + at.typeOffset] = typeNumbers[record.type];
  bytes[offset + at.flagsOffset] =
    (run === null ? 0 : recordFlags.run) |
    (actor === null ? 0 : recordFlags.actor) |
    (cause === null ? 0 : recordFlags.cause) |
    (previousDigest === null ? 0 : recordFlags.previousDigest) |
    (record.compressed === true ? recordFlags.compressed : 0) |
    (record.encrypted === true ? recordFlags.encrypted : 0);
  bytes.writeUInt32LE(record.epoch, offset + at.epochOffset);
  writeUint64(bytes, record.timeMs, offset + at.timeOffset);
  writeUint64(bytes, record.actorSequence, offset + at.actorSequenceOffset);
  if (run !== null) bytesOfRun(run).copy(bytes, offset + at.runOffset);
  if (actor !== null) bytes[offset + at.actorLengthOffset] = actor.length;
  if (cause !== null) {
    writeUint64(bytes, cause.sequence, offset + at.causeSequenceOffset);
    bytes.writeUInt32LE(cause.index, offset + at.causeIndexOffset);
    bytes[offset + at.causeLengthOffset] = cause.actor.length;
  }
  if (previousDigest !== null) {
    assert(previousDigest.length === digestBytes, 'a digest has 32 bytes');
    previousDigest.copy(bytes, offset + at.previousDigestOffset);
  }
}

let lastEncodedRun: { readonly bytes: Buffer; readonly id: RunId } | undefined;

/** Consecutive records mostly belong to one run. */
function bytesOfRun(id: RunId): Buffer {
  if (lastEncodedRun?.id !== id) lastEncodedRun = { bytes: runIdBytes(id), id };
  return lastEncodedRun.bytes;
}

/** SHA-256 of everything in the record but its place in the log, 32 bytes. */
export function recordDigest(record: AppendRecord): Buffer {
  const bytes = Buffer.allocUnsafe(encodedBytes(record));
  encodeRecord(record, bytes, 0);
  return digestAt(bytes, 0);
}

/** Copy of the digest that is stored in the record at `offset`. */
export function digestAt(bytes: Buffer, offset: number): Buffer {
  const digest = Buffer.allocUnsafe(digestBytes);
  const start = offset + at.digestOffset;
  bytes.copy(digest, 0, start, start + digestBytes);
  return digest;
}

/** Whether the stored digest is the digest of the stored content. */
export function digestHolds(bytes: Buffer, offset: number): boolean {
  const length = bytes.readUInt32LE(offset + at.lengthOffset);
  const start = offset + at.digestOffset;
  return (
    contentDigest(bytes, offset, length) === bytes.toString('latin1', start, start + digestBytes)
  );
}

/** The digest as 32 Latin-1 characters: half the cost of a Buffer, whose memory is dear to allocate. */
function contentDigest(bytes: Buffer, offset: number, length: number): string {
  return hash('sha256', bytes.subarray(offset + at.digestedOffset, offset + length), 'latin1');
}

/** Type of the record at `offset`, or undefined when the number is none. */
export function typeAt(bytes: Buffer, offset: number): RecordType | undefined {
  return typeNames[bytes[offset + at.typeOffset] ?? 0];
}

/** The number on disk of a type. */
export function typeNumber(type: RecordType): number {
  return typeNumbers[type];
}

/** The type of a number on disk, or undefined when it is none. */
export function typeOfNumber(number: number): RecordType | undefined {
  return typeNames[number];
}

/** What of a segment's header decides the CRC of its records. */
export type CrcBasis = Pick<SegmentHeader, 'version' | 'seed'>;

/** CRC of the record at index `offset` of `bytes`, which lies at `fileOffset` in its segment (L4). */
export function recordCrc(
  bytes: Buffer,
  offset: number,
  fileOffset: number,
  { version, seed }: CrcBasis,
): number {
  const length = bytes.readUInt32LE(offset + at.lengthOffset);
  const end = offset + alignRecord(length);
  const checksum = recordChecksum(version);
  const ofLength = checksum(bytes, offset, offset + at.crcOffset, seed ^ fileOffset);
  return checksum(bytes, offset + at.sequenceOffset, end, ofLength);
}

/**
 * Whether the header at `offset` can be one, judged without its body: sizes
 * that do not contradict each other, a known type, known flags.
 */
export function headerPlausible(bytes: Buffer, offset: number): boolean {
  const length = bytes.readUInt32LE(offset + at.lengthOffset);
  if (length < at.headerBytes || length > limits.recordBytesMax) return false;
  if (bytes.readUInt16LE(offset + at.magicOffset) !== recordMagic) return false;
  if (typeAt(bytes, offset) === undefined) return false;
  const flags = bytes[offset + at.flagsOffset] ?? 0;
  if ((flags & ~recordFlags.all) !== 0) return false;
  if ((flags & recordFlags.compressed) !== 0 && typeAt(bytes, offset) !== 'blob') return false;
  const encrypted = recordFlags.run | recordFlags.encrypted;
  if ((flags & encrypted) === recordFlags.encrypted) return false;
  const names =
    (bytes[offset + at.actorLengthOffset] ?? 0) + (bytes[offset + at.causeLengthOffset] ?? 0);
  return at.headerBytes + names <= length;
}

let lastRun: { readonly bytes: Buffer; readonly id: RunId } | undefined;

/** Consecutive records mostly belong to one run, and a UUID's text is dear to build. */
function runAt(bytes: Buffer, start: number): RunId {
  if (lastRun?.bytes.compare(bytes, start, start + runBytes) !== 0) {
    const copy = Buffer.from(bytes.subarray(start, start + runBytes));
    lastRun = { bytes: copy, id: runIdFromBytes(copy) };
  }
  return lastRun.id;
}

/**
 * The record at index `offset` of `bytes`, with its own copy of the bytes. The
 * caller has verified the CRC.
 */
export function decodeRecord(
  bytes: Buffer,
  offset: number,
  position: JournalPosition,
): StoredRecord {
  const length = bytes.readUInt32LE(offset + at.lengthOffset);
  const flags = bytes[offset + at.flagsOffset] ?? 0;
  const type = typeAt(bytes, offset);
  assert(type !== undefined, 'the record has a known type');
  const copy = Buffer.allocUnsafe(length - at.digestOffset);
  bytes.copy(copy, 0, offset + at.digestOffset, offset + length);
  const namesStart = offset + at.headerBytes;
  const actorEnd = namesStart + (bytes[offset + at.actorLengthOffset] ?? 0);
  const causeEnd = actorEnd + (bytes[offset + at.causeLengthOffset] ?? 0);
  const previousStart = at.previousDigestOffset - at.digestOffset;
  return {
    type,
    run: flags & recordFlags.run ? runAt(bytes, offset + at.runOffset) : null,
    actor:
      flags & recordFlags.actor
        ? (bytes.toString('latin1', namesStart, actorEnd) as ActorId)
        : null,
    actorSequence: readUint64(bytes, offset + at.actorSequenceOffset),
    epoch: bytes.readUInt32LE(offset + at.epochOffset),
    cause:
      flags & recordFlags.cause
        ? {
            actor: bytes.toString('latin1', actorEnd, causeEnd) as ActorId,
            sequence: readUint64(bytes, offset + at.causeSequenceOffset),
            index: bytes.readUInt32LE(offset + at.causeIndexOffset),
          }
        : null,
    timeMs: readUint64(bytes, offset + at.timeOffset),
    previousDigest:
      flags & recordFlags.previousDigest
        ? copy.subarray(previousStart, previousStart + digestBytes)
        : null,
    body: copy.subarray(causeEnd - offset - at.digestOffset),
    ...(flags & recordFlags.compressed ? { compressed: true } : {}),
    ...(flags & recordFlags.encrypted ? { encrypted: true } : {}),
    position,
    sequence: readUint64(bytes, offset + at.sequenceOffset),
    digest: copy.subarray(0, digestBytes),
  };
}
