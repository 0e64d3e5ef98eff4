/**
 * Whether the texts that records name are there, as records or files, and have
 * their hashes. Memory holds one entry for each different text, no content.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { blobContent, blobHashOf } from './blob-record.ts';
import { decompress } from './compression.ts';
import { blobsFolder, compressedSuffix } from './data-folders.ts';
import { errorNumber } from './file-port.ts';
import { namedTexts } from './named-texts.ts';
import type { StoredRecord } from './record.ts';

export interface BlobAuditResult {
  readonly files: number;
  readonly faults: readonly { readonly hash: Sha256; readonly what: string }[];
  /** Runs that name a text which is missing or wrong. */
  readonly runs: readonly RunId[];
}

const blobName = /^[0-9a-f]{64}(\.zst)?$/;

export class BlobAudit {
  readonly #dataDirectory: string;
  readonly #sound = new Set<Sha256>();
  readonly #wrong = new Map<Sha256, string>();
  readonly #named = new Map<Sha256, Set<RunId>>();

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory;
  }

  /** Takes a good record of the journal, in any order. */
  add(record: StoredRecord): void {
    if (record.type === 'blob') {
      this.#check(blobHashOf(record), () => blobContent(record));
    } else {
      for (const hash of namedTexts(record)) this.#name(hash, record.run);
    }
  }

  /** Looks at the files, and at what no record and no file has. */
  finish(): BlobAuditResult {
    const files = blobFiles(blobsFolder(this.#dataDirectory));
    for (const { hash, path, compressed } of files) {
      this.#check(hash, () => {
        const bytes = readFileSync(path);
        return compressed ? decompress(bytes, limits.blobFileBytesMax) : bytes;
      });
    }
    const faults: { hash: Sha256; what: string }[] = [];
    const runs = new Set<RunId>();
    for (const [hash, what] of this.#wrong) faults.push({ hash, what });
    for (const [hash, naming] of this.#named) {
      if (this.#sound.has(hash)) continue;
      if (!this.#wrong.has(hash)) faults.push({ hash, what: 'it is missing' });
      for (const run of naming) runs.add(run);
    }
    return { files: files.length, faults, runs: [...runs] };
  }

  #check(hash: Sha256, content: () => Buffer): void {
    try {
      if (sha256(content()) === hash) {
        this.#sound.add(hash);
        this.#wrong.delete(hash);
        return;
      }
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.code !== 'JOURNAL_CORRUPT') throw error;
    }
    if (!this.#sound.has(hash)) this.#wrong.set(hash, 'its content has another hash');
  }

  #name(hash: Sha256, run: RunId | null): void {
    const naming = this.#named.get(hash) ?? new Set();
    if (run !== null) naming.add(run);
    this.#named.set(hash, naming);
  }
}

function blobFiles(folder: string): { hash: Sha256; path: string; compressed: boolean }[] {
  return listOrNothing(folder).flatMap((part) =>
    listOrNothing(join(folder, part)).flatMap((name) =>
      blobName.test(name)
        ? {
            hash: name.slice(0, 64) as Sha256,
            path: join(folder, part, name),
            compressed: name.endsWith(compressedSuffix),
          }
        : [],
    ),
  );
}

function listOrNothing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    // A journal without large texts has no such folder; a file may lie where a folder should be.
    if (['ENOENT', 'ENOTDIR'].includes(errorNumber(error) ?? '')) return [];
    throw error;
  }
}
