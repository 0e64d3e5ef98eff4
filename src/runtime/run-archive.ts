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
 *   A3. Of the files of a run the archive has what they were at its beginning: what
 *       it wrote since a fork of it writes again.
 */
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeText, type StoredText, textRecord } from '../journal/blob-record.ts';
import { storeTextFile } from '../journal/blob-store.ts';
import { journalFolder } from '../journal/data-folders.ts';
import { JournalReader } from '../journal/journal-reader.ts';
import { JournalWriter } from '../journal/journal-writer.ts';
import {
  type AppendRecord,
  encodedBytes,
  encodeRecord,
  type ReadableRecord,
  type StoredRecord,
} from '../journal/record.ts';
import { RunCipher } from '../journal/run-cipher.ts';
import { RunKeys } from '../journal/run-keys.ts';
import { encryptedBody, type RunStore } from '../journal/run-store.ts';
import { segmentBytesFor, segmentPath } from '../journal/segment.ts';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { lineage } from './fork-point.ts';
import { JournalFollower } from './journal-follower.ts';
import { invalid, readArchive, requireWhole, told } from './read-archive.ts';
import { learnRun, redactedRecords } from './redact-run.ts';
import type { Redactor } from './redactor.ts';
import { replayShard } from './replay-run.ts';
import type { RunEntry } from './run-index.ts';
import { textsOf } from './texts-of-record.ts';

/** What an archive holds. */
export interface ArchiveReport {
  readonly run: RunId;
  readonly events: number;
  readonly texts: number;
  readonly bytes: number;
  /** How many texts each rule replaced, of a redacted archive. */
  readonly redacted?: Readonly<Record<string, number>>;
}

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
    redactor === null ? recordsOf(dataDirectory, runs) : redactedOf(dataDirectory, runs, redactor);
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
    if (redactor !== null) for (const each of runs) requireReplay(folder, each);
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
  const { records, texts, ciphers } = readArchive(source, dataDirectory);
  const runs = requireWhole(source, records);
  const run = runs.at(-1);
  assert(run !== undefined, 'an archive has a run');
  const missing = new Set(missingRuns(dataDirectory, runs));
  if (!missing.has(run)) {
    throw new RuntimeError('RUN_EXISTS', `The run ${run} is in ${dataDirectory} already.`);
  }
  const added = records.filter((record) => record.run !== null && missing.has(record.run));
  const keys = new RunKeys(dataDirectory);
  for (const cipher of ciphers) if (missing.has(cipher.run)) keys.store(cipher);
  const writer = JournalWriter.open(dataDirectory);
  try {
    for (const record of endSecond(added)) {
      const small: AppendRecord[] = [];
      for (const text of texts.get(record) ?? []) {
        if (text.bytes.length > limits.blobRecordBytesMax) storeTextFile(dataDirectory, text);
        else small.push(textRecord(text, record.timeMs));
      }
      const batch = encoded([...small, record.stored ?? record]);
      const refusal = writer.stage(batch, 0, batch.length);
      if (refusal !== null) throw invalid(source, refusal.message);
    }
    writer.commit();
  } finally {
    writer.close();
  }
  const events = added.filter(({ type }) => type === 'event').length;
  const names = new Set([...texts.values()].flat().map(({ name }) => name));
  return { run, events, texts: names.size, bytes: sizeOf(added) };
}

/** Those of the runs that a data directory does not have. */
function missingRuns(dataDirectory: string, runs: readonly RunId[]): RunId[] {
  const follower = new JournalFollower(dataDirectory);
  try {
    follower.advance();
    const erased = runs.find((run) => follower.index.erased.has(run));
    if (erased !== undefined) {
      throw new RuntimeError(
        'RUN_EXISTS',
        `The run ${erased} was in ${dataDirectory} and was erased; choose another --data.`,
      );
    }
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
function endSecond(records: readonly ReadableRecord[]): ReadableRecord[] {
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
        for (const text of textsOf(reader, record)) {
          if (texts.has(text.name)) continue;
          of.records.push(archivedText(record.run, text, record.timeMs));
          texts.add(text.name);
        }
        const stored = record.stored ?? record;
        if (record.type === 'run-ended') of.end = [stored];
        else of.records.push(stored);
        if (record.type === 'event') events += 1;
      }
    }
  } finally {
    reader.close();
  }
  const records = [...found].flatMap(([id, run]) => {
    const cipher = reader.keys.find(id);
    const told = [...run.records, ...run.end];
    return cipher === null ? told : [keysRecord(cipher, told[0]?.timeMs ?? 0), ...told];
  });
  return { records, events, texts: texts.size };
}

/** An archive brings its keys along, for whoever has it is to read it. */
function keysRecord(cipher: RunCipher, timeMs: number): AppendRecord {
  const nobody = { actor: null, actorSequence: 0, epoch: 0, cause: null, previousDigest: null };
  return { type: 'run-keys', run: cipher.run, ...nobody, timeMs, body: cipher.toBytes() };
}

/** The runs told again, with the same kinds of records; the oldest is the first. */
function redactedOf(
  dataDirectory: string,
  runs: readonly RunId[],
  redactor: Redactor,
): { records: AppendRecord[]; events: number; texts: number } {
  const follower = new JournalFollower(dataDirectory, { verifyDigests: true });
  const digests = new Map<string, Buffer>();
  const records: AppendRecord[] = [];
  let cipher: RunCipher | null = null;
  let events = 0;
  let texts = 0;
  try {
    follower.advance();
    if (redactor.learns) for (const run of runs) learnRun(follower, follower.entry(run), redactor);
    redactor.apply();
    for (const run of runs) {
      const entry = follower.entry(run);
      cipher = RunCipher.create(run, cipher); // The run's own would read what was redacted.
      const told = redactedRecords(follower, entry, redactor, archiveStore(cipher), digests);
      records.push(keysRecord(cipher, entry.createdAt), ...told);
      events += told.filter(({ type }) => type === 'event').length;
      texts += told.filter(({ type }) => type === 'blob').length;
    }
    return { records, events, texts };
  } finally {
    follower.close();
  }
}

/** Every text of a run as a record, once. */
function archiveStore(cipher: RunCipher): RunStore {
  const known = new Set<Sha256>();
  return {
    body: (content) => encryptedBody(cipher, content),
    texts: (blobs, timeMs) =>
      [...blobs].flatMap(([hash, content]) => {
        if (known.has(hash)) return [];
        known.add(hash);
        return [archivedText(cipher.run, encodeText(cipher, hash, content), timeMs)];
      }),
  };
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
function archivedText(run: RunId, text: StoredText, timeMs: number): AppendRecord {
  const record = textRecord(text, timeMs);
  const { contentBytesMax: bytes } = text;
  const fits = bytes <= limits.recordTextBytesMax && encodedBytes(record) <= limits.recordBytesMax;
  if (fits) return record;
  throw new RuntimeError(
    'RUN_TOO_LARGE',
    `The run ${run} has a text of ${bytes} bytes, too large for an archive; copy the data directory instead.`,
  );
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
