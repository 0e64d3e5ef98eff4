/**
 * The two records that are the writer's own: the seal that ends every group,
 * and the mark that an idle or closing journal adds.
 *
 * The seals are a chain over the whole log: each is SHA-256 of the seal before
 * it and the digests of its group. So one seal, kept elsewhere, proves
 * everything before it.
 */
import { hash } from 'node:crypto';
import { type AppendRecord, encodeRecord } from './record.ts';
import { recordDescriptor as at, digestBytes, writeUint64 } from './record-descriptor.ts';

/** Seal before the first one. */
export const genesisSeal: Buffer = Buffer.alloc(digestBytes);

const nobody = {
  run: null,
  actor: null,
  actorSequence: 0,
  epoch: 0,
  cause: null,
  body: Buffer.alloc(0),
} as const;

/** A seal, but for its own digest. */
export function sealRecord(timeMs: number, previousSeal: Buffer): AppendRecord {
  return { ...nobody, type: 'seal', timeMs, previousDigest: previousSeal };
}

export function markRecord(timeMs: number): AppendRecord {
  return { ...nobody, type: 'mark', timeMs, previousDigest: null };
}

/** What a seal has for all of them. */
const blankSeal = Buffer.alloc(at.headerBytes);
encodeRecord(sealRecord(0, genesisSeal), blankSeal, 0, genesisSeal);

/** A seal at `offset`, as `encodeRecord` would write it: every group pays for it. */
export function writeSeal(
  bytes: Buffer,
  offset: number,
  { timeMs, previous, seal }: { timeMs: number; previous: Buffer; seal: Buffer },
): void {
  blankSeal.copy(bytes, offset);
  writeUint64(bytes, timeMs, offset + at.timeOffset);
  previous.copy(bytes, offset + at.previousDigestOffset);
  seal.copy(bytes, offset + at.digestOffset);
}

/** Computes seals in memory that is used again. */
export class SealHasher {
  #digests = Buffer.alloc(digestBytes * 65);

  /** The seal of the records that begin at `starts` of `bytes`, 32 bytes. */
  seal(previous: Buffer, bytes: Buffer, starts: readonly number[]): Buffer {
    const length = digestBytes * (starts.length + 1);
    if (this.#digests.length < length) this.#digests = Buffer.alloc(length * 2);
    previous.copy(this.#digests, 0);
    for (let record = 0; record < starts.length; record += 1) {
      const start = (starts[record] ?? 0) + at.digestOffset;
      bytes.copy(this.#digests, digestBytes * (record + 1), start, start + digestBytes);
    }
    return hash('sha256', this.#digests.subarray(0, length), 'buffer');
  }
}
