/** Where one run puts what it writes: its bodies and its long texts, under its keys. */
import type { Sha256 } from '../kernel/hash.ts';
import { storeBlobs } from './blob-store.ts';
import type { AppendRecord } from './record.ts';
import type { RunCipher } from './run-cipher.ts';

export interface RunStore {
  /** A body as its record has it. */
  body(content: Buffer): Pick<AppendRecord, 'body' | 'encrypted'>;
  /**
   * Makes large texts durable before it returns; returns the records of the others.
   * @throws RuntimeError DISK_FULL, JOURNAL_FAILED
   */
  texts(blobs: ReadonlyMap<Sha256, Buffer>, timeMs: number): AppendRecord[];
}

/** @param cipher null: for everybody to read, as in older formats. */
export function runStore(dataDirectory: string, cipher: RunCipher | null): RunStore {
  return {
    body: (content) => encryptedBody(cipher, content),
    texts: (blobs, timeMs) => storeBlobs(dataDirectory, cipher, blobs, timeMs),
  };
}

export function encryptedBody(
  cipher: RunCipher | null,
  content: Buffer,
): Pick<AppendRecord, 'body' | 'encrypted'> {
  return cipher === null ? { body: content } : { body: cipher.encrypt(content), encrypted: true };
}
