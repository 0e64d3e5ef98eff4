/**
 * The journal against `node:sqlite` (WAL, synchronous=FULL), lmdb,
 * classic-level and a bare file, on the same disk in the same run: events of
 * 512 bytes made durable in groups, and read back. Everything that is written
 * is read and compared.
 *
 * `append` measures the writer, from encoded batches to the disk;
 * `append-with-encoding` adds the producer's share in the same thread.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordDescriptor } from '../src/journal/record-descriptor.ts';
import { recover } from '../src/journal/recovery.ts';
import { limits } from '../src/kernel/limits.ts';
import {
  benchOptions,
  type Contender,
  type Figure,
  figure,
  interleave,
  ratios,
  report,
} from './harness.ts';
import { bodies, encodedEvents } from './journal/events.ts';
import {
  appendRaw,
  appendToJournal,
  appendToLevel,
  appendToLmdb,
  appendToSqlite,
  scanJournal,
  scanLevel,
  scanLmdb,
  scanSqlite,
} from './journal/stores.ts';

const { quick, repetitions } = benchOptions();
const root = mkdtempSync(join(tmpdir(), 'openclaw-bench-journal-'));
const sealBytes = recordDescriptor.headerBytes;
let folders = 0;

function fresh(): string {
  folders += 1;
  return join(root, `store-${folders}`);
}

/** Stores in a place of its own, which is gone afterwards; verified unless there is nothing to read. */
function contender(
  append: (path: string) => Promise<number>,
  scan: (path: string) => Promise<number> = async () => 0,
): Contender {
  return async () => {
    const path = fresh();
    try {
      const measured = await append(path);
      await scan(path);
      return measured;
    } finally {
      for (const suffix of ['', '-lock', '-wal', '-shm']) {
        rmSync(path + suffix, { recursive: true, force: true });
      }
    }
  };
}

async function appendFigures(group: number, count: number): Promise<Figure[]> {
  const content = bodies(count);
  const encoded = [...encodedEvents(content)];
  const eventBytes = encoded[0]?.length ?? 0;
  const groupBytes = Array.from({ length: Math.ceil(count / group) }, (_, index) => {
    const events = Math.min(group, count - index * group);
    return events * eventBytes + sealBytes;
  });
  const scanned = (path: string) => scanJournal(path, content);
  const contenders = {
    journal: contender((path) => appendToJournal(path, encoded, { count, group }), scanned),
    encoding: contender(
      (path) => appendToJournal(path, encodedEvents(content), { count, group }),
      scanned,
    ),
    raw: contender((path) => appendRaw(path, groupBytes, count)),
    sqlite: contender(
      (path) => appendToSqlite(path, content, group),
      (path) => scanSqlite(path, content),
    ),
    lmdb: contender(
      (path) => appendToLmdb(path, content, group),
      (path) => scanLmdb(path, content),
    ),
    level: contender(
      (path) => appendToLevel(path, content, group),
      (path) => scanLevel(path, content),
    ),
  };
  for (const warmUp of Object.values(contenders)) await warmUp();
  const samples = await interleave(contenders, repetitions);
  const best = samples.sqlite.map((sqlite, turn) =>
    Math.max(sqlite, samples.lmdb[turn] ?? 0, samples.level[turn] ?? 0),
  );
  return [
    figure(`append.${group}: journal / bare file`, 'x', ratios(samples.journal, samples.raw), {
      goal: group === 1 ? 0.9 : null,
    }),
    figure(`append.${group}: journal / best of the others`, 'x', ratios(samples.journal, best), {
      goal: group === 1_024 ? 1.2 : null,
    }),
    figure(`append.${group}: journal with encoding / best`, 'x', ratios(samples.encoding, best)),
    figure(`append.${group}: journal`, '1/s', samples.journal),
    figure(`append.${group}: bare file`, '1/s', samples.raw),
    figure(`append.${group}: node:sqlite`, '1/s', samples.sqlite),
    figure(`append.${group}: lmdb`, '1/s', samples.lmdb),
    figure(`append.${group}: classic-level`, '1/s', samples.level),
  ];
}

/**
 * The journal with bodies of so many bytes against the disk, in bytes a second.
 * Both write pieces of 4 MiB: the journal's largest group, which the worker
 * gathers under a burst. A file that was zeroed before the clock runs says what
 * the disk can take; a new file what it takes where every byte needs a place,
 * as those of the journal do.
 */
async function bandwidthFigures(bodyBytes: number, count: number): Promise<Figure[]> {
  const pieceBytes = limits.commitGroupBytes;
  const encoded = [...encodedEvents(bodies(count, bodyBytes))];
  const eventBytes = encoded[0]?.length ?? 0;
  const group = Math.floor((pieceBytes - sealBytes) / eventBytes);
  const pieces = Math.max(2, Math.ceil((count * eventBytes) / pieceBytes));
  const pieceSizes = Array<number>(pieces).fill(pieceBytes);
  const contenders = {
    journal: contender((path) => appendToJournal(path, encoded, { count, group })),
    disk: contender((path) => appendRaw(path, pieceSizes, pieces * pieceBytes)),
    newFile: contender((path) => appendRaw(path, pieceSizes, pieces * pieceBytes, 'new')),
  };
  for (const warmUp of Object.values(contenders)) await warmUp();
  const samples = await interleave(contenders, repetitions);
  const perSecond = samples.journal.map((events) => events * eventBytes);
  return [
    figure(
      `bandwidth: journal with bodies of ${bodyBytes} B / bare file`,
      'x',
      ratios(perSecond, samples.disk),
      { goal: 0.6 },
    ),
    figure(
      `bandwidth: journal with bodies of ${bodyBytes} B / new bare file`,
      'x',
      ratios(perSecond, samples.newFile),
    ),
    figure(
      `bandwidth: new bare file beside bodies of ${bodyBytes} B`,
      'MB/s',
      samples.newFile.map((bytes) => bytes / 1e6),
    ),
    figure(
      `bandwidth: bare file beside bodies of ${bodyBytes} B`,
      'MB/s',
      samples.disk.map((bytes) => bytes / 1e6),
    ),
  ];
}

async function scanFigures(count: number): Promise<Figure[]> {
  const content = bodies(count);
  const path = { journal: fresh(), sqlite: fresh(), lmdb: fresh(), level: fresh() };
  const group = 1_024;
  await appendToJournal(path.journal, encodedEvents(content), { count, group });
  await appendToSqlite(path.sqlite, content, group);
  await appendToLmdb(path.lmdb, content, group);
  await appendToLevel(path.level, content, group);
  const contenders = {
    journal: () => scanJournal(path.journal, content),
    digests: () => scanJournal(path.journal, content, true),
    sqlite: () => scanSqlite(path.sqlite, content),
    lmdb: () => scanLmdb(path.lmdb, content),
    level: () => scanLevel(path.level, content),
    recovery: () => {
      const started = performance.now();
      recover(path.journal);
      return count / ((performance.now() - started) / 1_000);
    },
  };
  for (const warmUp of Object.values(contenders)) await warmUp();
  const samples = await interleave(contenders, repetitions);
  return [
    figure('scan: journal with CRC / node:sqlite', 'x', ratios(samples.journal, samples.sqlite), {
      goal: 2,
    }),
    figure('scan: journal', '1/s', samples.journal),
    figure('scan: journal with digests', '1/s', samples.digests),
    figure('scan: node:sqlite', '1/s', samples.sqlite),
    figure('scan: lmdb', '1/s', samples.lmdb),
    figure('scan: classic-level', '1/s', samples.level),
    figure('recovery', '1/s', samples.recovery),
  ];
}

try {
  const scale = quick ? 1 : 4;
  report(
    'journal',
    [
      ...(await appendFigures(1, 500 * scale)),
      ...(await appendFigures(64, 3_200 * scale)),
      ...(await appendFigures(1_024, 1_024 * 12 * scale)),
      ...(await bandwidthFigures(512, 1_024 * 12 * scale)),
      ...(await bandwidthFigures(16 * 1_024, 64 * 24 * scale)),
      ...(await scanFigures(25_000 * scale)),
    ],
    ['lmdb', 'classic-level'],
  );
} finally {
  rmSync(root, { recursive: true, force: true });
}
