/**
 * A run as one file, to be replayed on another machine. The file is a segment
 * of a journal that holds this run alone, with its texts, or before it the runs
 * that it is a fork of: every reader of the format reads it. Records keep their digests, so that the actors' chains and
 * the run's state hash are those of the original.
 *
 * Invariants
 *   A1. Only a run that has ended is exported or imported: an open one would
 *       go on in two places.
 *   A2. An import is verified in full before anything of it is written. In the
 *       journal its end follows its beginning: what a crash leaves of a large
 *       import has ended, and nobody goes on with it.
 *       The runs of an archive follow one another, each fork behind its parent.
 *   A3. Files of the workspace are not part of a run's history, nor of the
 *       archive.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { blobContent, blobHashOf, textRecord } from '../journal/blob-record.ts';
import { storeBlobs } from '../journal/blob-store.ts';
import { journalFolder } from '../journal/data-folders.ts';
import { JournalReader } from '../journal/journal-reader.ts';
import { JournalWriter } from '../journal/journal-writer.ts';
import { namedTexts } from '../journal/named-texts.ts';
import {
  type AppendRecord,
  encodedBytes,
  encodeRecord,
  type StoredRecord,
} from '../journal/record.ts';
import { segmentBytesFor, segmentPath } from '../journal/segment.ts';
import { verifyJournal } from '../journal/verification.ts';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { type RunStartedBody, rawBodyOf } from './event-record.ts';
import { lineage } from './fork-point.ts';
import { JournalFollower } from './journal-follower.ts';
import { redactedRecords } from './redact-run.ts';
import type { Redactor } from './redactor.ts';
import { replayShard } from './replay-run.ts';
import type { RunEntry } from './run-index.ts';

/** What an archive holds. */
export interface ArchiveReport {
  readonly run: RunId;
  readonly events: number;
  readonly texts: number;
  readonly bytes: number;
  /** How many texts each rule replaced, of a redacted archive. */
  readonly redacted?: Readonly<Record<string, number>>;
}

/** Types that tell a run; snapshots only shorten the way. */
const told = new Set<StoredRecord['type']>(['run-started', 'branch', 'event', 'run-ended']);

/**
 * Writes a run into a new file.
 * @throws RuntimeError RUN_NOT_FOUND, RUN_NOT_ENDED, RUN_DAMAGED, FILE_EXISTS,
 *   RUN_TOO_LARGE, JOURNAL_CORRUPT, BLOB_MISSING, DISK_FULL, JOURNAL_FAILED
 */
export function exportRun(
  dataDirectory: string,
  id: string,
  target: string,
  redactor: Redactor | null = null,
): ArchiveReport {
  if (existsSync(target)) {
    throw new RuntimeError('FILE_EXISTS', `${target} is there already; name another file.`);
  }
  const runs = requireEnded(dataDirectory, id);
  const run = runs.at(-1);
  assert(run !== undefined, 'a run is its own last one');
  const { records, events, texts } =
    redactor === null ? recordsOf(dataDirectory, runs) : redactedOf(dataDirectory, run, redactor);
  const groups = groupsOf(records);
  const bytes = segmentBytesFor(groups.map((group) => sizeOf(group)));
  if (bytes > limits.archiveBytesMax) {
    throw new RuntimeError(
      'RUN_TOO_LARGE',
      `The run ${run} takes ${bytes} bytes, more than an archive of ${limits.archiveBytesMax}; copy the data directory instead.`,
    );
  }
  const folder = mkdtempSync(join(dirname(target), '.claw-export-'));
  try {
    const writer = JournalWriter.open(folder, { segmentBytes: bytes });
    for (const group of groups) writer.writeGroup([encoded(group)]);
    writer.mark(records.at(-1)?.timeMs ?? 0);
    writer.close();
    if (redactor !== null) requireReplay(folder, run);
    renameSync(segmentPath(journalFolder(folder), 1), target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const redacted = redactor === null ? {} : { redacted: redactor.counts };
  return { run, events, texts, bytes, ...redacted };
}

/**
 * Adds the run of an archive to a data directory, which the caller has locked.
 * @throws RuntimeError ARCHIVE_INVALID, RUN_EXISTS, JOURNAL_CORRUPT,
 *   DATA_VERSION_NEWER, DISK_FULL, JOURNAL_FAILED
 */
export function importRun(dataDirectory: string, source: string): ArchiveReport {
  const { records, contents } = readArchive(source, dataDirectory);
  const runs = requireWhole(source, records);
  const run = runs.at(-1);
  assert(run !== undefined, 'an archive has a run');
  const missing = new Set(missingRuns(dataDirectory, runs));
  if (!missing.has(run)) {
    throw new RuntimeError('RUN_EXISTS', `The run ${run} is in ${dataDirectory} already.`);
  }
  const added = records.filter((record) => record.run !== null && missing.has(record.run));
  const writer = JournalWriter.open(dataDirectory);
  try {
    for (const record of endSecond(added)) {
      const blobs = new Map<Sha256, Buffer>();
      for (const hash of namedTexts(record)) {
        const content = contents.get(hash);
        assert(content !== undefined, 'an archive that was verified has every text');
        blobs.set(hash, content);
      }
      const batch = encoded([...storeBlobs(dataDirectory, blobs, record.timeMs), record]);
      const refusal = writer.stage(batch, 0, batch.length);
      if (refusal !== null) throw invalid(source, refusal.message);
    }
    writer.commit();
  } finally {
    writer.close();
  }
  const events = added.filter(({ type }) => type === 'event').length;
  return { run, events, texts: contents.size, bytes: sizeOf(added) };
}

/** Those of the runs that a data directory does not have. */
function missingRuns(dataDirectory: string, runs: readonly RunId[]): RunId[] {
  const follower = new JournalFollower(dataDirectory);
  try {
    follower.advance();
    const dropped = runs.find((run) => follower.index.compacted.has(run));
    if (dropped !== undefined) {
      throw new RuntimeError(
        'RUN_EXISTS',
        `The run ${dropped} was in ${dataDirectory} before its events were dropped; choose another --data.`,
      );
    }
    return runs.filter((run) => follower.index.get(run) === undefined);
  } finally {
    follower.close();
  }
}

/** (A2) */
function endSecond(records: readonly StoredRecord[]): StoredRecord[] {
  const place: Partial<Record<StoredRecord['type'], number>> = { 'run-started': 0, 'run-ended': 1 };
  const runs = [...new Set(records.map(({ run }) => run))];
  return runs.flatMap((run) =>
    records
      .filter((record) => record.run === run)
      .sort((one, other) => (place[one.type] ?? 2) - (place[other.type] ?? 2)),
  );
}

/** The run and those that it is a fork of, the oldest first; all have ended. */
function requireEnded(dataDirectory: string, id: string): RunId[] {
  const follower = new JournalFollower(dataDirectory);
  try {
    follower.advance();
    const runs = lineage(follower.entry(id), follower.index).reverse();
    for (const run of runs) requireComplete(follower.entry(run));
    return runs;
  } finally {
    follower.close();
  }
}

function requireComplete({ id, damaged, ended }: RunEntry): void {
  if (damaged) {
    throw new RuntimeError(
      'RUN_DAMAGED',
      `Events of the run ${id} were lost; it cannot be exported.`,
    );
  }
  if (ended !== null) return;
  throw new RuntimeError('RUN_NOT_ENDED', `The run ${id} has not ended; wait for it or cancel it.`);
}

/** The records of the runs, one after the other, each text before the first record that names it. */
function recordsOf(
  dataDirectory: string,
  runs: readonly RunId[],
): { records: AppendRecord[]; events: number; texts: number } {
  const reader = JournalReader.open(dataDirectory, { verifyDigests: true });
  const found = new Map(runs.map((run) => [run, new ArchivedRun()]));
  const texts = new Set<Sha256>();
  let events = 0;
  try {
    for (const group of reader.groups()) {
      for (const record of group) {
        const of = record.run === null ? undefined : found.get(record.run);
        if (of === undefined || record.run === null || !told.has(record.type)) continue;
        for (const hash of namedTexts(record)) {
          if (texts.has(hash)) continue;
          const content = reader.blob(hash);
          if (content === null) {
            throw new RuntimeError(
              'BLOB_MISSING',
              `The journal has no blob ${hash}; restore it from a copy.`,
            );
          }
          of.records.push(archivedText(record.run, hash, content, record.timeMs));
          texts.add(hash);
        }
        if (record.type === 'run-ended') of.end = [record];
        else of.records.push(record);
        if (record.type === 'event') events += 1;
      }
    }
  } finally {
    reader.close();
  }
  const records = [...found.values()].flatMap((run) => [...run.records, ...run.end]);
  return { records, events, texts: texts.size };
}

/** The run told again, with the same kinds of records. */
function redactedOf(
  dataDirectory: string,
  run: RunId,
  redactor: Redactor,
): { records: AppendRecord[]; events: number; texts: number } {
  const follower = new JournalFollower(dataDirectory, { verifyDigests: true });
  const texts = new Set<Sha256>();
  try {
    follower.advance();
    const entry = follower.entry(run);
    const records = redactedRecords(follower, entry, redactor, (blobs, timeMs) =>
      [...blobs].flatMap(([hash, content]) => {
        if (texts.has(hash)) return [];
        texts.add(hash);
        return [archivedText(run, hash, content, timeMs)];
      }),
    );
    return { records, events: entry.events.length, texts: texts.size };
  } finally {
    follower.close();
  }
}

/** A redacted run is another one than was, so it is replayed before it is given away. */
function requireReplay(folder: string, run: RunId): void {
  const { divergence } = replayShard({ dataDirectory: folder, run, shard: 0, shards: 1 });
  if (divergence === null) return;
  throw new RuntimeError(
    'RUN_NOT_REDACTED',
    `The run ${run} does not replay at event ${divergence.sequence} over the redacted texts; use other patterns.`,
  );
}

class ArchivedRun {
  readonly records: AppendRecord[] = [];
  /** Of an imported run it stands at the beginning. */
  end: AppendRecord[] = [];
}

/** An archive has no files, so a text that no record holds does not fit. */
function archivedText(run: RunId, hash: Sha256, content: Buffer, timeMs: number): AppendRecord {
  const record = textRecord(hash, content, timeMs);
  const fits =
    content.length <= limits.recordTextBytesMax && encodedBytes(record) <= limits.recordBytesMax;
  if (fits) return record;
  throw new RuntimeError(
    'RUN_TOO_LARGE',
    `The run ${run} has a text of ${content.length} bytes, too large for an archive; copy the data directory instead.`,
  );
}

/** Every record of an archive, its texts apart. */
function readArchive(
  source: string,
  dataDirectory: string,
): { records: StoredRecord[]; contents: Map<Sha256, Buffer> } {
  if (!existsSync(source)) throw invalid(source, 'there is no such file');
  const folder = mkdtempSync(join(dataDirectory, '.claw-import-'));
  const records: StoredRecord[] = [];
  const contents = new Map<Sha256, Buffer>();
  try {
    mkdirSync(journalFolder(folder));
    copyFileSync(source, segmentPath(journalFolder(folder), 1));
    const { faults, blobFaults } = verifyJournal(folder); // (A2)
    const fault = faults[0] ?? blobFaults[0];
    if (fault !== undefined) throw new Error(fault.what);
    const reader = JournalReader.open(folder);
    for (const record of reader.advance()) {
      if (record.type === 'blob') contents.set(blobHashOf(record), blobContent(record));
      else if (told.has(record.type)) records.push(record);
    }
    reader.close();
  } catch (error) {
    throw invalid(source, error instanceof Error ? error.message : String(error));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { records, contents };
}

/** Runs that have ended, each but the first a fork of the one before (A1, A2). */
function requireWhole(source: string, records: readonly StoredRecord[]): RunId[] {
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

/** Pieces that fit into one commit group each. */
function groupsOf(records: readonly AppendRecord[]): AppendRecord[][] {
  const groups: AppendRecord[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const size = encodedBytes(record);
    if (bytes + size > limits.commitGroupBytes / 2) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(record);
    bytes += size;
  }
  return groups;
}

function sizeOf(records: readonly AppendRecord[]): number {
  return records.reduce((sum, record) => sum + encodedBytes(record), 0);
}

function encoded(records: readonly AppendRecord[]): Buffer {
  const bytes = Buffer.alloc(sizeOf(records));
  let end = 0;
  for (const record of records) end = encodeRecord(record, bytes, end);
  return bytes;
}

function invalid(source: string, why: string): RuntimeError {
  return new RuntimeError(
    'ARCHIVE_INVALID',
    `${source} is not a whole run (${why.replace(/\.$/, '')}); export it again.`,
  );
}
