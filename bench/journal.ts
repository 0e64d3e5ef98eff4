/**
 * The journal against `node:sqlite` (WAL, synchronous=FULL) on the same disk
 * in the same run: events of 512 bytes made durable in groups, and read back.
 *
 * The journal does more for each event than the table does: it chains the
 * events of an actor, digests, checksums and seals them. In the runtime many
 * producers encode and digest their own records, each in its thread, and the
 * one writer does the rest; so `append` measures the writer, from encoded
 * batches to the disk. `append-with-encoding` adds the producer's share in the
 * same thread. Both sides verify what they wrote by reading all of it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { JournalReader } from '../src/journal/journal-reader.ts';
import { JournalWriter } from '../src/journal/journal-writer.ts';
import { type AppendRecord, digestAt, encodedBytes, encodeRecord } from '../src/journal/record.ts';
import { recover } from '../src/journal/recovery.ts';
import { assert } from '../src/kernel/assert.ts';
import { actorId, newRunId } from '../src/kernel/ids.ts';
import { benchOptions, figure, interleave, ratios, report } from './harness.ts';

const bodyBytes = 512;
const { quick, repetitions } = benchOptions();
const run = newRunId();
const actor = actorId('run/item-1/triage');
const root = mkdtempSync(join(tmpdir(), 'openclaw-bench-journal-'));

/** Bodies that differ, made before the clock runs. */
function bodies(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.alloc(bodyBytes, `{"event":${index}}`));
}

function checksum(sum: number, body: Uint8Array): number {
  return (sum * 31 + (body[9] ?? 0) + (body[bodyBytes - 1] ?? 0) + body.length) >>> 0;
}

let folders = 0;

function freshFolder(): string {
  folders += 1;
  return join(root, `journal-${folders}`);
}

/** One encoded batch for each event, chained as the events of one actor. */
function* encodedEvents(content: readonly Buffer[]): Generator<Buffer> {
  let previousDigest: Buffer | null = null;
  let actorSequence = 0;
  for (const body of content) {
    actorSequence += 1;
    const record: AppendRecord = {
      type: 'event',
      run,
      actor,
      actorSequence,
      epoch: 1,
      cause: null,
      timeMs: actorSequence,
      previousDigest,
      body,
    };
    const bytes = Buffer.allocUnsafe(encodedBytes(record));
    encodeRecord(record, bytes, 0);
    previousDigest = digestAt(bytes, 0);
    yield bytes;
  }
}

function writeJournal(folder: string, batches: Iterable<Buffer>, group: number): number {
  const writer = JournalWriter.open(folder);
  const started = performance.now();
  let events = 0;
  for (const batch of batches) {
    const refusal = writer.stage(batch, 0, batch.length);
    assert(refusal === null, 'the journal takes the event');
    events += 1;
    if (events % group === 0) writer.commit();
  }
  writer.commit();
  const seconds = (performance.now() - started) / 1000;
  writer.close();
  return events / seconds;
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  database.exec(
    'CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY, run BLOB, actor TEXT, actor_sequence INTEGER, time INTEGER, body BLOB)',
  );
  return database;
}

function writeDatabase(path: string, content: readonly Buffer[], group: number): number {
  const database = openDatabase(path);
  const runBytes = Buffer.from(run.replaceAll('-', ''), 'hex');
  const insert = database.prepare(
    'INSERT INTO events (run, actor, actor_sequence, time, body) VALUES (?, ?, ?, ?, ?)',
  );
  const started = performance.now();
  let sequence = 0;
  for (let start = 0; start < content.length; start += group) {
    database.exec('BEGIN');
    for (const body of content.slice(start, start + group)) {
      sequence += 1;
      insert.run(runBytes, actor, sequence, sequence, body);
    }
    database.exec('COMMIT');
  }
  const seconds = (performance.now() - started) / 1000;
  database.close();
  return content.length / seconds;
}

function scanJournal(folder: string, expected: Expected, verifyDigests: boolean): number {
  const reader = JournalReader.open(folder, { verifyDigests });
  const started = performance.now();
  let count = 0;
  let sum = 0;
  for (const group of reader.groups()) {
    for (const record of group) {
      if (record.type !== 'event') continue;
      sum = checksum(sum, record.body);
      count += record.actorSequence === count + 1 && record.actor === actor ? 1 : 0;
    }
  }
  const seconds = (performance.now() - started) / 1000;
  reader.close();
  assert(count === expected.count && sum === expected.sum, 'the journal holds what was written');
  return count / seconds;
}

function scanDatabase(path: string, expected: Expected): number {
  const database = openDatabase(path);
  const started = performance.now();
  let count = 0;
  let sum = 0;
  for (const row of database.prepare('SELECT * FROM events ORDER BY sequence').iterate()) {
    sum = checksum(sum, row.body as Uint8Array);
    count += row.actor_sequence === count + 1 && row.actor === actor ? 1 : 0;
  }
  const seconds = (performance.now() - started) / 1000;
  database.close();
  assert(count === expected.count && sum === expected.sum, 'the database holds what was written');
  return count / seconds;
}

interface Expected {
  readonly count: number;
  readonly sum: number;
}

function expectedOf(content: readonly Buffer[]): Expected {
  return { count: content.length, sum: content.reduce(checksum, 0) };
}

async function measureAppend(group: number, count: number) {
  const content = bodies(count);
  const expected = expectedOf(content);
  const removeAfter = <T>(path: string, work: () => T): T => {
    try {
      return work();
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  };
  const encoded = [...encodedEvents(content)];
  const append = (batches: () => Iterable<Buffer>) => () => {
    const folder = freshFolder();
    return removeAfter(folder, () => {
      const rate = writeJournal(folder, batches(), group);
      scanJournal(folder, expected, false);
      return rate;
    });
  };
  const journal = append(() => encoded);
  const encoding = append(() => encodedEvents(content));
  const sqlite = () => {
    const path = `${freshFolder()}.sqlite`;
    return removeAfter(path, () => {
      const rate = writeDatabase(path, content, group);
      scanDatabase(path, expected);
      return rate;
    });
  };
  const contenders = { journal, sqlite, encoding };
  for (const warmUp of Object.values(contenders)) warmUp();
  const samples = await interleave(contenders, repetitions);
  const goal = group >= 1_024 ? 1 : null;
  return [
    figure(`append.${group}.journal`, '1/s', samples.journal),
    figure(`append.${group}.sqlite`, '1/s', samples.sqlite),
    figure(`append.${group}.ratio`, 'x', ratios(samples.journal, samples.sqlite), { goal }),
    figure(`append-with-encoding.${group}.ratio`, 'x', ratios(samples.encoding, samples.sqlite)),
  ];
}

async function measureScan(count: number) {
  const content = bodies(count);
  const expected = expectedOf(content);
  const folder = freshFolder();
  const path = `${freshFolder()}.sqlite`;
  writeJournal(folder, encodedEvents(content), 1_024);
  writeDatabase(path, content, 1_024);
  const contenders = {
    journal: () => scanJournal(folder, expected, false),
    sqlite: () => scanDatabase(path, expected),
    digests: () => scanJournal(folder, expected, true),
    recovery: () => {
      const started = performance.now();
      recover(folder);
      return count / ((performance.now() - started) / 1000);
    },
  };
  for (const warmUp of Object.values(contenders)) warmUp();
  const samples = await interleave(contenders, repetitions);
  return [
    figure('scan.journal', '1/s', samples.journal),
    figure('scan.sqlite', '1/s', samples.sqlite),
    figure('scan.ratio', 'x', ratios(samples.journal, samples.sqlite), { goal: 2 }),
    figure('scan.journal-with-digests', '1/s', samples.digests),
    figure('recovery', '1/s', samples.recovery),
  ];
}

try {
  const scale = quick ? 1 : 4;
  const figures = [
    ...(await measureAppend(64, 6_400 * scale)),
    ...(await measureAppend(1_024, 1_024 * 40 * scale)),
    ...(await measureScan(60_000 * scale)),
  ];
  report('journal', figures);
} finally {
  rmSync(root, { recursive: true, force: true });
}
