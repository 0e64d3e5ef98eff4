/**
 * A blob as a record: its body is the 32 raw bytes of the SHA-256 of its
 * content, then the content, compressed where that pays. It belongs to no run,
 * because equal content is stored once.
 */
import { assert } from '../kernel/assert.ts';
import type { Sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import { decompress, tryCompress } from './compression.ts';
import type { AppendRecord } from './record.ts';
import { recordDescriptor as at, digestBytes } from './record-descriptor.ts';

export function blobRecord(hash: Sha256, content: Buffer, timeMs: number): AppendRecord {
  assert(content.length <= limits.blobRecordBytesMax, 'a larger blob is a file');
  return textRecord(hash, content, timeMs);
}

/** A blob record of any size that a record may have, for an archive, which has no files. */
export function textRecord(hash: Sha256, content: Buffer, timeMs: number): AppendRecord {
  const compressed = tryCompress(content);
  return {
    type: 'blob',
    run: null,
    actor: null,
    actorSequence: 0,
    epoch: 0,
    cause: null,
    timeMs,
    previousDigest: null,
    body: Buffer.concat([Buffer.from(hash, 'hex'), compressed ?? content]),
    ...(compressed === null ? {} : { compressed: true }),
  };
}

/** Hash of the blob record at `offset` of encoded bytes. A blob has no names, so its body follows the header. */
export function blobHashAt(bytes: Buffer, offset: number): Sha256 {
  const start = offset + at.headerBytes;
  return bytes.toString('hex', start, start + digestBytes) as Sha256;
}

/** Hash that a blob record says its content has. */
export function blobHashOf({ body }: Pick<AppendRecord, 'body'>): Sha256 {
  return body.toString('hex', 0, digestBytes) as Sha256;
}

/**
 * Content of a blob record.
 * @throws RuntimeError JOURNAL_CORRUPT
 */
export function blobContent({
  body,
  compressed,
}: Pick<AppendRecord, 'body' | 'compressed'>): Buffer {
  const stored = body.subarray(digestBytes);
  return compressed === true ? decompress(stored, limits.recordTextBytesMax) : stored;
}
