/**
 * Which texts the rest of a journal needs, once its beginning is dropped. A text
 * is stored once, so one that a later run names may lie in a segment that goes.
 *
 * Invariants
 *   N1. Whatever looks like a hash, in a body or in a text that is needed, is
 *       taken for one: too much is kept rather than too little.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { blobNameOf } from './blob-record.ts';
import { storeTextFile } from './blob-store.ts';
import { blobsFolder } from './data-folders.ts';
import { errorNumber } from './file-port.ts';
import { JournalReader } from './journal-reader.ts';

const nothing = Buffer.alloc(0);
const hashPattern = /[0-9a-f]{64}/g;

/**
 * The texts that something behind the segment `through` names. Those that no record behind
 * it holds are stored as files.
 * @returns how many were stored, too.
 * @throws RuntimeError JOURNAL_CORRUPT, DISK_FULL, JOURNAL_FAILED
 */
export function keepNeededBlobs(
  dataDirectory: string,
  through: number,
): { needed: ReadonlySet<Sha256>; stored: number } {
  const reader = JournalReader.open(dataDirectory);
  const segmentOf = new Map<Sha256, number>();
  const named: NamedText[] = [];
  try {
    for (const group of reader.groups()) {
      for (const record of group) {
        const { type, run, position } = record;
        if (type === 'blob') segmentOf.set(blobNameOf(record), position.segment);
        else if (position.segment > through) named.push(...namedIn(record.body, run));
      }
    }
    const needed = new Set<Sha256>();
    let stored = 0;
    for (let next = named.pop(); next !== undefined; next = named.pop()) {
      const { hash, run } = next;
      const text = reader.storedText(hash, run);
      if (text === null || needed.has(text.name)) continue;
      needed.add(text.name);
      named.push(...namedIn(reader.blob(hash, run) ?? nothing, run)); // (N1)
      if ((segmentOf.get(text.name) ?? Number.POSITIVE_INFINITY) > through) continue;
      storeTextFile(dataDirectory, text);
      stored += 1;
    }
    return { needed, stored };
  } finally {
    reader.close();
  }
}

/** Removes the files of texts that nobody needs; answers how many. */
export function removeUnneeded(dataDirectory: string, needed: ReadonlySet<Sha256>): number {
  let removed = 0;
  for (const part of namesIn(blobsFolder(dataDirectory))) {
    for (const name of namesIn(join(blobsFolder(dataDirectory), part))) {
      if (needed.has(name.slice(0, 64) as Sha256)) continue;
      rmSync(join(blobsFolder(dataDirectory), part, name), { force: true });
      removed += 1;
    }
  }
  return removed;
}

interface NamedText {
  readonly hash: Sha256;
  readonly run: RunId | null;
}

function namedIn(bytes: Buffer, run: RunId | null): NamedText[] {
  const hashes = (bytes.toString('latin1').match(hashPattern) ?? []) as Sha256[];
  return hashes.map((hash) => ({ hash, run }));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errorNumber(error) === 'ENOENT') return [];
    throw error;
  }
}
