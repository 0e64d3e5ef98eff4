/**
 * Large texts out of JSON, and large blobs into files.
 *
 * `externalize` replaces long strings by references to their SHA-256, so that
 * a turn writes only what is new (law D6). `internalize` is its inverse.
 *
 * Invariants
 *   B1. A reference is the object `{"$blob": hash}` and nothing else is: a key
 *       of the value that reads `$blob`, `$$blob`, … gets one more `$`.
 *   B2. Equal values give equal references in equal order.
 *   B3. A blob file appears under its name only when it is complete and
 *       synced, before any record that names it is submitted. A name that was
 *       found is synced too: whoever made it may not have come to that.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { threadId } from 'node:worker_threads';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { blobRecord, encodeText, type StoredText } from './blob-record.ts';
import { blobPath, compressedSuffix } from './data-folders.ts';
import { errorNumber, nodeFilePort } from './file-port.ts';
import type { AppendRecord } from './record.ts';
import type { RunCipher } from './run-cipher.ts';

const referenceKey = '$blob';
const reservedKey = /^\$+blob$/;
const escapedKey = /^\$\$+blob$/;

/**
 * Moves every string of `limits.inlineTextCharactersMax` characters or more
 * into a blob. A string with a lone surrogate stays, because it has no UTF-8.
 */
export function externalize(value: Json): { value: Json; blobs: Map<Sha256, Buffer> } {
  const blobs = new Map<Sha256, Buffer>();
  return { value: replaceTexts(value, blobs), blobs };
}

function replaceTexts(value: Json, blobs: Map<Sha256, Buffer>): Json {
  if (typeof value === 'string') return replaceText(value, blobs);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => replaceTexts(item, blobs));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      reservedKey.test(key) ? `$${key}` : key, // (B1)
      replaceTexts(inner, blobs),
    ]),
  );
}

function replaceText(text: string, blobs: Map<Sha256, Buffer>): Json {
  if (text.length < limits.inlineTextCharactersMax || !text.isWellFormed()) return text;
  const bytes = Buffer.from(text, 'utf8');
  const hash = sha256(bytes);
  blobs.set(hash, bytes);
  return blobReference(hash);
}

/** What stands for a text in a value whose texts were moved into blobs (B1). */
export function blobReference(hash: Sha256): Json {
  return { [referenceKey]: hash };
}

/** Content of a blob, as its bytes or already as text; null where there is none. */
export type TextLookup = (hash: Sha256) => Buffer | string | null;

/** Whether JSON text may hold a reference or a key with one more `$` (B1), escaped or not. */
export function mayRefer(text: string): boolean {
  return text.includes(referenceKey) || text.includes('\\u');
}

/**
 * Puts the texts back in. What needs none is returned as it is, not copied.
 * @throws RuntimeError BLOB_MISSING when the lookup has no content for a reference.
 */
export function internalize(value: Json, lookup: TextLookup): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => internalize(item, lookup));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  if (Object.hasOwn(value, referenceKey)) return resolve(value[referenceKey] as Sha256, lookup);
  let isChanged = false;
  const members: [string, Json][] = [];
  for (const key of Object.keys(value)) {
    const inner = value[key] as Json;
    const whole = internalize(inner, lookup);
    const name = key.startsWith('$') && escapedKey.test(key) ? key.slice(1) : key;
    isChanged ||= whole !== inner || name !== key;
    members.push([name, whole]);
  }
  return isChanged ? Object.fromEntries(members) : value;
}

/** The hashes that an externalized value names, some perhaps more than once. */
export function* blobReferences(value: Json): Generator<Sha256> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value) && Object.hasOwn(value, referenceKey)) {
    yield value[referenceKey] as Sha256;
    return;
  }
  for (const inner of Object.values(value)) yield* blobReferences(inner);
}

function resolve(hash: Sha256, lookup: TextLookup): string {
  const content = lookup(hash);
  if (content === null) {
    throw new RuntimeError(
      'BLOB_MISSING',
      `The journal has no blob ${hash}; restore the data directory from a copy.`,
      { details: { hash } },
    );
  }
  return typeof content === 'string' ? content : content.toString('utf8');
}

/**
 * Makes blobs ready for the batch whose events name them: small ones as
 * records to put first in the batch, large ones as files that are durable when
 * this returns (B3).
 * @param cipher Keys of the run that refers to them; null stores them for everybody to read.
 * @throws RuntimeError DISK_FULL, JOURNAL_FAILED.
 */
export function storeBlobs(
  dataDirectory: string,
  cipher: RunCipher | null,
  blobs: ReadonlyMap<Sha256, Buffer>,
  timeMs: number,
): AppendRecord[] {
  const records: AppendRecord[] = [];
  for (const [hash, content] of blobs) {
    assert(sha256(content) === hash, 'a blob is named by its own hash');
    if (content.length <= limits.blobRecordBytesMax) {
      records.push(blobRecord(cipher, hash, content, timeMs));
    } else {
      storeBlobFile(dataDirectory, cipher, hash, content);
    }
  }
  return records;
}

function storeBlobFile(
  dataDirectory: string,
  cipher: RunCipher | null,
  hash: Sha256,
  content: Buffer,
): void {
  const place = { run: cipher?.run ?? null, name: cipher?.nameOf(hash) ?? hash };
  if (hasTextFile(dataDirectory, place)) return;
  storeTextFile(dataDirectory, encodeText(cipher, hash, content));
}

/** Whether the file is there, and durably. */
function hasTextFile(dataDirectory: string, { run, name }: Pick<StoredText, 'run' | 'name'>) {
  const plain = blobPath(dataDirectory, run, name);
  if (!existsSync(plain) && !existsSync(plain + compressedSuffix)) return false;
  try {
    syncNames(dirname(plain)); // (B3)
  } catch (error) {
    throw blobFailure(error);
  }
  return true;
}

/**
 * Writes a stored text as a durable file, unless it is there.
 * @throws RuntimeError DISK_FULL, JOURNAL_FAILED
 */
export function storeTextFile(dataDirectory: string, text: StoredText): void {
  if (hasTextFile(dataDirectory, text)) return;
  const path =
    blobPath(dataDirectory, text.run, text.name) + (text.compressed ? compressedSuffix : '');
  const temporary = `${path}.${process.pid}-${threadId}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeDurably(temporary, text.bytes);
    renameSync(temporary, path);
    syncNames(dirname(path));
  } catch (error) {
    throw blobFailure(error);
  }
}

function syncNames(folder: string): void {
  nodeFilePort.syncFolder(folder);
  nodeFilePort.syncFolder(dirname(folder));
}

function writeDurably(path: string, content: Buffer): void {
  const file = openSync(path, 'w', 0o600);
  try {
    for (let done = 0; done < content.length; ) done += writeSync(file, content, done);
    fsyncSync(file);
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(file);
  }
}

function blobFailure(error: unknown): RuntimeError {
  const number = errorNumber(error);
  return number === 'ENOSPC' || number === 'EDQUOT'
    ? new RuntimeError(
        'DISK_FULL',
        'The disk is full, so a large text cannot be stored; free disk space and try again.',
        {
          cause: error,
        },
      )
    : new RuntimeError('JOURNAL_FAILED', 'A large text cannot be stored; check the disk.', {
        cause: error,
      });
}
