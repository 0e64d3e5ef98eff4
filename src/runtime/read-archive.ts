/** An archive taken apart: the records of its runs, their texts and their keys. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredText } from '../journal/blob-record.ts';
import { journalFolder } from '../journal/data-folders.ts';
import { JournalReader } from '../journal/journal-reader.ts';
import type { ReadableRecord, StoredRecord } from '../journal/record.ts';
import { RunCipher } from '../journal/run-cipher.ts';
import { segmentPath } from '../journal/segment.ts';
import { verifyJournal } from '../journal/verification.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { type RunStartedBody, rawBodyOf } from './event-record.ts';
import { textsOf } from './texts-of-record.ts';

/** Types that tell a run; snapshots only shorten the way. */
export const told = new Set<StoredRecord['type']>(['run-started', 'branch', 'event', 'run-ended']);

export interface ArchiveContent {
  /** All but texts and keys. */
  readonly records: ReadableRecord[];
  /** The texts that each of them names. */
  readonly texts: Map<ReadableRecord, StoredText[]>;
  readonly ciphers: RunCipher[];
}

/** Verifies an archive and takes it apart. */
export function readArchive(source: string, dataDirectory: string): ArchiveContent {
  if (!existsSync(source)) throw invalid(source, 'there is no such file');
  if (!statSync(source).isFile()) throw invalid(source, 'it is no file');
  const folder = mkdtempSync(join(dataDirectory, '.claw-import-'));
  /** A text that many records name is kept once. */
  const known = new Map<Sha256, StoredText>();
  const content: ArchiveContent = { records: [], texts: new Map(), ciphers: [] };
  try {
    mkdirSync(journalFolder(folder));
    copyFileSync(source, segmentPath(journalFolder(folder), 1));
    const { faults, blobFaults } = verifyJournal(folder); // (A2)
    const fault = faults[0] ?? blobFaults[0];
    if (fault !== undefined) throw new Error(fault.what);
    const reader = JournalReader.open(folder);
    for (const record of reader.advance()) {
      const { type, body } = record;
      const cipher = type === 'run-keys' ? RunCipher.tryFromBytes(body) : null;
      if (cipher !== null) content.ciphers.push(cipher);
      if (!told.has(record.type)) continue;
      if (record.unreadable) throw new Error('it lacks the keys of its run');
      content.records.push(record);
      const texts = textsOf(reader, record);
      content.texts.set(
        record,
        texts.map((text) => known.get(text.name) ?? text),
      );
      for (const text of texts) known.set(text.name, text);
    }
    reader.close();
  } catch (error) {
    throw invalid(source, error instanceof Error ? error.message : String(error));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return content;
}

/** Runs that have ended, each but the first a fork of the one before (A1, A2). */
export function requireWhole(source: string, records: readonly StoredRecord[]): RunId[] {
  const runs = [...new Set(records.flatMap(({ run }) => run ?? []))];
  if (runs.length === 0) throw invalid(source, 'it begins no run');
  for (const [index, run] of runs.entries()) {
    const own = records.filter((record) => record.run === run);
    const [start] = own;
    if (start?.type !== 'run-started') throw invalid(source, 'it begins no run');
    if (own.at(-1)?.type !== 'run-ended') throw invalid(source, 'its run has not ended');
    const { parent } = rawBodyOf(start) as RunStartedBody;
    if (parent?.run !== runs[index - 1]) throw invalid(source, 'it holds another run too');
  }
  return runs;
}

export function invalid(source: string, why: string): RuntimeError {
  return new RuntimeError(
    'ARCHIVE_INVALID',
    `${source} is not a whole run (${why.replace(/\.$/, '')}); export it again.`,
  );
}
