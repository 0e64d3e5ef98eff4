/**
 * What of a record is a leaf of the audit's Merkle tree. Every record is one, in
 * the order of the journal: leaf i is the record of sequence i + 1, seals and
 * marks included.
 *
 * ```
 *    0                8    9                       41              49
 *   +----------------+----+-----------------------+----------------+
 *   | sequence (u64) |type| digest (32)           | time ms (u64)  |   big-endian
 *   +----------------+----+-----------------------+----------------+
 * ```
 *
 * A digest covers what the record says and not its place, so the sequence stands
 * beside it. The digest of a seal is a link of the chain of seals and does not cover
 * its time, so the time stands there too.
 *
 * Invariants
 *   A1. The bytes on which a body is erased, encrypted or compressed are not in a
 *       leaf, only their digest: leaves outlive the keys of a run.
 *   A2. A record that a repair left out and nobody had counted before has a leaf
 *       that says so, of type 0.
 */
import { leafHash } from './merkle-tree.ts';
import { type StoredRecord, typeNumber, typeOfNumber } from './record.ts';
import { digestBytes } from './record-descriptor.ts';

const at = { type: 8, digest: 9, time: 41, bytes: 49 } as const;

type LeafFields = Pick<StoredRecord, 'sequence' | 'type' | 'digest' | 'timeMs'>;

/** Hash of the record's leaf, 32 bytes. */
export function recordLeaf(record: LeafFields): Buffer {
  return leafHash(recordLeafContent(record));
}

/** The bytes of the record's leaf. */
export function recordLeafContent({ sequence, type, digest, timeMs }: LeafFields): Buffer {
  return leafContent(sequence, typeNumber(type), digest, timeMs);
}

/** What the bytes of a leaf say, or null when they are none. */
export function parseLeafContent(bytes: Buffer): LeafFields | null {
  if (bytes.length !== at.bytes) return null;
  const type = typeOfNumber(bytes[at.type] ?? 0);
  const [sequence, timeMs] = [bytes.readBigUInt64BE(0), bytes.readBigUInt64BE(at.time)].map(Number);
  const digest = bytes.subarray(at.digest, at.time);
  if (type === undefined || sequence === undefined || timeMs === undefined) return null;
  return { sequence, type, digest, timeMs };
}

/** Hash of the leaf of a record that is lost (A2). */
export function lostLeaf(sequence: number): Buffer {
  return leafHash(leafContent(sequence, 0, Buffer.alloc(digestBytes), 0));
}

function leafContent(sequence: number, type: number, digest: Buffer, timeMs: number): Buffer {
  const bytes = Buffer.allocUnsafe(at.bytes);
  bytes.writeBigUInt64BE(BigInt(sequence), 0);
  bytes[at.type] = type;
  digest.copy(bytes, at.digest);
  bytes.writeBigUInt64BE(BigInt(timeMs), at.time);
  return bytes;
}
