/**
 * A text as a record: its body is 32 raw bytes that name it, then its content,
 * compressed where that pays and encrypted with the keys of its run. Its name is the
 * SHA-256 of its content, or what the run's keys make of that.
 */
import { assert } from '../kernel/assert.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { decompress, tryCompress } from './compression.ts';
import type { AppendRecord } from './record.ts';
import { recordDescriptor as at, digestBytes } from './record-descriptor.ts';
import type { RunCipher } from './run-cipher.ts';

/** A text as it lies on the disk, in a record or a file. */
export interface StoredText {
  /** Whose keys it needs; null where it needs none. */
  readonly run: RunId | null;
  readonly name: Sha256;
  readonly compressed: boolean;
  readonly bytes: Buffer;
  /** Its content is decompressed up to this size; hostile bytes may promise more. */
  readonly contentBytesMax: number;
}

/** How a text is stored under a run's keys, or without. */
export function encodeText(cipher: RunCipher | null, hash: Sha256, content: Buffer): StoredText {
  const frame = tryCompress(content);
  const plain = frame ?? content;
  return {
    run: cipher?.run ?? null,
    name: cipher?.nameOf(hash) ?? hash,
    compressed: frame !== null,
    bytes: cipher?.encrypt(plain) ?? plain,
    contentBytesMax: content.length,
  };
}

/**
 * The content of a stored text.
 * @throws RuntimeError JOURNAL_CORRUPT
 */
export function decodeText(text: StoredText, cipher: RunCipher | null): Buffer {
  assert(text.run === (cipher?.run ?? null), 'a text is read with the keys of its run');
  const plain = cipher?.decrypt(text.bytes) ?? text.bytes;
  return text.compressed ? decompress(plain, text.contentBytesMax) : plain;
}

export function blobRecord(
  cipher: RunCipher | null,
  hash: Sha256,
  content: Buffer,
  timeMs: number,
): AppendRecord {
  assert(content.length <= limits.blobRecordBytesMax, 'a larger blob is a file');
  return textRecord(encodeText(cipher, hash, content), timeMs);
}

/** A stored text as a record, whatever its size: an archive has no files. */
export function textRecord(
  { run, name, compressed, bytes }: StoredText,
  timeMs: number,
): AppendRecord {
  return {
    type: 'blob',
    run,
    actor: null,
    actorSequence: 0,
    epoch: 0,
    cause: null,
    timeMs,
    previousDigest: null,
    body: Buffer.concat([Buffer.from(name, 'hex'), bytes]),
    ...(compressed ? { compressed } : {}),
    ...(run === null ? {} : { encrypted: true }),
  };
}

/** The stored text of a blob record. */
export function storedTextOf(record: AppendRecord): StoredText {
  return {
    run: record.encrypted === true ? record.run : null,
    name: blobNameOf(record),
    compressed: record.compressed === true,
    bytes: record.body.subarray(digestBytes),
    contentBytesMax: limits.recordTextBytesMax,
  };
}

/** Name of the blob record at `offset` of encoded bytes. A blob has no names, so its body follows the header. */
export function blobNameAt(bytes: Buffer, offset: number): Sha256 {
  const start = offset + at.headerBytes;
  return bytes.toString('hex', start, start + digestBytes) as Sha256;
}

/** Name of a blob record. */
export function blobNameOf({ body }: Pick<AppendRecord, 'body'>): Sha256 {
  return body.toString('hex', 0, digestBytes) as Sha256;
}
