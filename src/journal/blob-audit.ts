/**
 * Whether the texts that records name are there, as records or files, and have
 * their hashes. Memory holds one entry for each different text, no content.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import { isRunId, type RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { decodeText, type StoredText, storedTextOf } from './blob-record.ts';
import { blobsFolder, compressedSuffix } from './data-folders.ts';
import { errorNumber } from './file-port.ts';
import { namedTexts } from './named-texts.ts';
import { readable } from './readable-record.ts';
import type { StoredRecord } from './record.ts';
import { RunKeys } from './run-keys.ts';

export interface BlobAuditResult {
  readonly files: number;
  readonly faults: readonly { readonly hash: Sha256; readonly what: string }[];
  /** Runs that cannot be read, and were not erased. */
  readonly unreadable: readonly RunId[];
  /** Runs that name a text which is missing or wrong. */
  readonly runs: readonly RunId[];
}

const blobName = /^[0-9a-f]{64}(\.zst)?$/;

export class BlobAudit {
  readonly #dataDirectory: string;
  readonly #keys: RunKeys;
  readonly #sound = new Set<Sha256>();
  readonly #wrong = new Map<Sha256, string>();
  readonly #unreadable = new Set<RunId>();
  readonly #erased: Set<RunId>;
  /** By the text's hash, the runs that name it. */
  readonly #named = new Map<Sha256, Set<RunId | null>>();

  /** @param dropped Runs that nobody reads any more. */
  constructor(dataDirectory: string, dropped: Iterable<RunId> = []) {
    this.#dataDirectory = dataDirectory;
    this.#erased = new Set(dropped);
    this.#keys = new RunKeys(dataDirectory);
  }

  /** Takes a good record of the journal, in any order. */
  add(record: StoredRecord): void {
    if (record.type === 'blob') {
      this.#check(storedTextOf(record));
      return;
    }
    if (record.type === 'run-erased' && record.run !== null) this.#erased.add(record.run);
    const found = readable(record, this.#keys);
    if (found.unreadable === true && found.run !== null) this.#unreadable.add(found.run);
    for (const hash of namedTexts(found)) {
      const naming = this.#named.get(hash) ?? new Set();
      this.#named.set(hash, naming.add(record.run));
    }
  }

  /** Looks at the files, and at what no record and no file has. */
  finish(): BlobAuditResult {
    const files = blobFiles(blobsFolder(this.#dataDirectory));
    for (const { path, ...place } of files) {
      const contentBytesMax = limits.blobFileBytesMax;
      this.#check({ ...place, bytes: readFileSync(path), contentBytesMax });
    }
    const faults: { hash: Sha256; what: string }[] = [];
    const runs = new Set<RunId>();
    for (const [hash, what] of this.#wrong) faults.push({ hash, what });
    for (const [hash, naming] of this.#named) {
      const lacking = [...naming].filter((run) => !this.#has(hash, run, this.#sound));
      for (const run of lacking) if (run !== null) runs.add(run);
      const isMissing = lacking.some((run) => !this.#has(hash, run, this.#wrong));
      if (isMissing) faults.push({ hash, what: 'it is missing' });
    }
    const unreadable = [...this.#unreadable.difference(this.#erased)];
    return { files: files.length, faults, unreadable, runs: [...runs] };
  }

  /** Whether a text is among those of the run, of a run that it goes on from, or of no run. */
  #has(hash: Sha256, run: RunId | null, names: { has(name: Sha256): boolean }): boolean {
    const own = run === null ? null : this.#keys.find(run);
    const owners = own === null ? [] : [own.run, ...own.parents];
    const ciphers = owners.map((owner) => this.#keys.find(owner));
    return names.has(hash) || ciphers.some((each) => each !== null && names.has(each.nameOf(hash)));
  }

  #check(text: StoredText): void {
    const cipher = text.run === null ? null : this.#keys.find(text.run);
    if (text.run !== null && cipher === null) return; // Of an erased run nothing can be said.
    try {
      const hash = sha256(decodeText(text, cipher));
      if ((cipher?.nameOf(hash) ?? hash) === text.name) {
        this.#sound.add(text.name);
        this.#wrong.delete(text.name);
        return;
      }
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.code !== 'JOURNAL_CORRUPT') throw error;
    }
    if (!this.#sound.has(text.name)) this.#wrong.set(text.name, 'its content has another hash');
  }
}

type TextFile = Pick<StoredText, 'run' | 'name' | 'compressed'> & { readonly path: string };

function blobFiles(folder: string): TextFile[] {
  return listOrNothing(folder).flatMap((part) =>
    listOrNothing(join(folder, part)).flatMap((name) =>
      blobName.test(name)
        ? {
            run: isRunId(part) ? part : null,
            name: name.slice(0, 64) as Sha256,
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
