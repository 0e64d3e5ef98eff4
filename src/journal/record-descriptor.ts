/**
 * Layout of one record, in the journal ring and in a segment alike. All
 * numbers are little-endian; a record begins at a multiple of eight bytes and
 * the bytes up to the next multiple are zero.
 *
 * ```
 *    0        4        8                16       20       24
 *   +--------+--------+----------------+--------+--------+-------- - -
 *   | length |  CRC   | sequence (u64) | group  | durable| digest (32)
 *   +--------+--------+----------------+--------+--------+-------- - -
 *   56    58  59   60       64                72
 *   +------+----+----+------+-----------------+------------------- - -
 *   |magic |type|flag|epoch | time ms (u64)   | run (16)
 *   +------+----+----+------+-----------------+------------------- - -
 *   88                 96                104      108 109 110  112
 *   +-----------------+-----------------+--------+---+---+----+--- - -
 *   | actor seq (u64) | cause seq (u64) | c.idx  |alc|clc|zero| previous digest (32)
 *   +-----------------+-----------------+--------+---+---+----+--- - -
 *   144
 *   +--------------------+--------------------+--------------------- - -
 *   | actor name (alc B) | cause name (clc B) | body
 *   +--------------------+--------------------+--------------------- - -
 * ```
 *
 * Invariants
 *   L1. What depends on the place in the log (length to durable) lies before
 *       the digest, what the digest covers lies behind it in one piece. So the
 *       position enters no hash.
 *   L2. `length` counts header, names and body, not the padding; the CRC
 *       covers `length`, then everything from `sequence` to the end of the
 *       padding.
 *   L3. `group` is the offset at which the record's commit group begins, and
 *       `durable` the offset up to which the segment was durable before the
 *       record was written: the same, but in the relaxed mode it may be lower.
 *       In version 1 it is zero, and stands for `group`.
 *   L4. The CRC is seeded by the segment's salt and the record's own offset,
 *       so that bytes which only look like a record, inside a blob, are none.
 */

export const recordDescriptor = {
  lengthOffset: 0,
  crcOffset: 4,
  sequenceOffset: 8,
  groupOffset: 16,
  durableOffset: 20,
  digestOffset: 24,
  /** First byte that the digest covers. */
  digestedOffset: 56,
  magicOffset: 56,
  typeOffset: 58,
  flagsOffset: 59,
  epochOffset: 60,
  timeOffset: 64,
  runOffset: 72,
  actorSequenceOffset: 88,
  causeSequenceOffset: 96,
  causeIndexOffset: 104,
  actorLengthOffset: 108,
  causeLengthOffset: 109,
  previousDigestOffset: 112,
  headerBytes: 144,
} as const;

export const recordMagic = 0xc1aa;
export const recordAlignment = 8;
export const digestBytes = 32;
export const runBytes = 16;

/** What of the header is present, an absent field being zero; and how the body is stored. */
export const recordFlags = {
  run: 1,
  actor: 2,
  cause: 4,
  previousDigest: 8,
  compressed: 16,
  encrypted: 32,
  all: 63,
} as const;

/** Bytes that a record of `length` takes with its padding. */
export function alignRecord(length: number): number {
  return (length + recordAlignment - 1) & ~(recordAlignment - 1);
}

const twoTo32 = 4_294_967_296;

/** Writes a safe non-negative integer as u64. BigInt would cost an allocation each. */
export function writeUint64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32LE(value % twoTo32, offset);
  bytes.writeUInt32LE(Math.floor(value / twoTo32), offset + 4);
}

export function readUint64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * twoTo32;
}
