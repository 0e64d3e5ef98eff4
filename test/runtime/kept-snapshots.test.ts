/** Snapshots of runs in a journal that is compacted, backed up, archived, forked and grows large. */
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { backUp } from '../../src/journal/backup.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { compactJournal } from '../../src/runtime/compact-journal.ts';
import { runSnapshotRecords } from '../../src/runtime/event-record.ts';
import { programDigest } from '../../src/runtime/program-digest.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { recoverRun } from '../../src/runtime/replay-run.ts';
import { exportRun, importRun } from '../../src/runtime/run-archive.ts';
import { RunSnapshots, type SnapshotTasks } from '../../src/runtime/run-snapshots.ts';
import { auditSnapshot, takeSnapshot } from '../../src/runtime/snapshot-run.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { fork } from './forked-run.ts';
import { journalOf, openRuntime } from './running.ts';
import { answer, definition, noise, open } from './small-segments.ts';
import type { World } from './world.ts';

const program = programDigest();

function snapshot(world: World, run: RunId): void {
  world.flush();
  const entry = world.follower.entry(run);
  const { body } = takeSnapshot(world.follower, entry, { program, whole: false });
  if (body === null) throw new Error('there is something to snapshot');
  const recording = { timeMs: world.clock.nowMs(), store: world.storeOf(run) };
  world.append(runSnapshotRecords(run, body, recording));
  world.flush();
}

/** An ended run and an open one, each with a snapshot from the midst of it; `keys` as `history`. */
function snapshots({ keys = true } = {}) {
  const data = join(temporaryFolder(), 'data');
  openDataDirectory(data, 1).release();
  const world = open(data, keys);
  const shared = noise();
  const first = world.start(definition, [shared, noise(), noise(), noise()]);
  world.settle();
  snapshot(world, first);
  world.play(answer);
  const limit = { sequence: verifyJournal(data).lastSequence + 1 };
  const living = world.start(definition, [shared, noise()]);
  world.settle();
  snapshot(world, living);
  const other = world.start(definition, [noise(), noise(), noise()]);
  world.play((_operation, _args, { run }) => (run === living ? null : answer()));
  world.close();
  return { data, first, living, other, limit };
}

function expectRecovers(data: string, run: RunId): void {
  const follower = journalOf(data);
  const entry = follower.entry(run);
  const found = recoverRun(follower, run, program);
  expect(found).toMatchObject({ snapshotRefusal: null, problem: null, divergence: null });
  expect(found.fromSnapshot).toBe(entry.snapshot?.events);
  expect(found.fromSnapshot).toBeGreaterThan(0);
  expect(auditSnapshot(follower, entry, program)).toMatchObject({ equal: true });
}

describe('snapshots of runs', () => {
  test.each([{ keys: true }, { keys: false }])(
    'stay with their texts in what a compaction leaves ($keys)',
    async (format) => {
      const { data, first, living, limit } = snapshots(format);
      const report = await compactJournal(data, limit, { nowMs: 9 });
      expect(report).toMatchObject({ done: true, runs: [{ id: first }] });
      expect(verifyJournal(data)).toMatchObject({ ok: true, runsAffected: [] });
      expectRecovers(data, living);
    },
  );

  test('are in a backup', () => {
    const { data, living } = snapshots();
    const copy = join(temporaryFolder(), 'copy');
    backUp(data, copy, 9);
    expectRecovers(copy, living);
  });

  test('are in no archive, which tells the run without them', async () => {
    const { data, first } = snapshots();
    const file = join(temporaryFolder(), 'run.claw');
    exportRun(data, first, file);
    const target = join(temporaryFolder(), 'data');
    openDataDirectory(target, 1).release();
    importRun(target, file);
    const types = (folder: string): Set<string> => {
      const reader = JournalReader.open(folder);
      onTestFinished(() => reader.close());
      return new Set(reader.advance().map(({ type }) => type));
    };
    expect(types(data)).toContain('snapshot');
    expect(types(target)).not.toContain('snapshot');
    const journal = openReadOnly(target);
    onTestFinished(() => journal.close());
    expect(await journal.replay(first)).toMatchObject({ equal: true });
  });

  test('let a server go on while it compacts', { timeout: 120_000 }, async () => {
    const { data, first, living, limit } = snapshots();
    const notices: string[] = [];
    const runtime = await openRuntime(data, {}, { onNotice: (text) => notices.push(text) });
    const report = await runtime.compactJournal({ before: limit });
    expect(report.runs.map(({ id }) => id)).toEqual([first]);
    await runtime.ended(living);
    await runtime.stop();
    expect(notices.filter((text) => /was not used/.test(text))).toEqual([]);
    expect(verifyJournal(data)).toMatchObject({ ok: true, runsAffected: [] });
    const journal = openReadOnly(data);
    onTestFinished(() => journal.close());
    expect(await journal.replay(living)).toMatchObject({ equal: true });
  });

  test('of a parent are none of its fork, which has its own', async () => {
    const data = join(temporaryFolder(), 'data');
    openDataDirectory(data, 1).release();
    const world = open(data);
    const first = world.start(definition, ['one', 'two', 'three']);
    world.settle();
    snapshot(world, first);
    world.play(answer);
    world.flush();
    expect(world.follower.entry(first).snapshot?.events).toBeGreaterThan(4);
    const id = await fork(world, first, { at: 4 });
    world.settle();
    world.flush();
    const entry = world.follower.entry(id);
    expect(entry.snapshot).toBeNull();
    snapshot(world, id);
    expect(world.follower.entry(id).snapshot?.events).toBe(entry.events.length);
    const [short, full] = [program, undefined].map((known) =>
      recoverRun(world.follower, id, known),
    );
    expect(short).toMatchObject({ fromSnapshot: entry.events.length, problem: null });
    expect(short?.undelivered).toEqual(full?.undelivered);
  });

  test('come by the size of what was journaled too', async () => {
    const data = join(temporaryFolder(), 'data');
    openDataDirectory(data, 1).release();
    const world = open(data);
    const run = world.start(definition, [noise()]);
    world.settle();
    world.flush();
    const entry = world.follower.entry(run);
    const asked: RunId[] = [];
    const of = new RunSnapshots({
      dataDirectory: data,
      program,
      index: world.follower.index,
      pool: {
        run: async (_type: string, request: { run: RunId }) => {
          asked.push(request.run);
          return { body: null, divergence: null, snapshotRefusal: null };
        },
      } as unknown as SnapshotTasks,
      append: () => undefined,
      onNotice: () => undefined,
    });
    onTestFinished(() => of.stop());
    const grownBy = async (bytes: number): Promise<number> => {
      const events = entry.events.map((event, index, all) =>
        index === all.length - 1 ? { ...event, bytes } : event,
      );
      of.changed({ type: 'event', entry: { ...entry, events }, sequence: events.length });
      await of.settled();
      return asked.length;
    };
    expect(await grownBy(limits.bytesPerRunSnapshot - 1)).toBe(0);
    expect(await grownBy(limits.bytesPerRunSnapshot)).toBe(1);
  });
});
