/** Compaction and backup while runs go on in the process that owns the data directory. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { JournalTexts } from '../../src/journal/journal-texts.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { ForksUnderWay } from '../../src/runtime/forks-under-way.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { Maintenance, type MaintenanceParts } from '../../src/runtime/maintenance.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { makeDesk, openRuntime, runToEnd } from './running.ts';
import { history } from './small-segments.ts';

const segmentsOf = (data: string): string[] =>
  readdirSync(join(data, 'journal')).filter((name) => name.endsWith('.segment'));

function follow(data: string): JournalFollower {
  const follower = new JournalFollower(data);
  onTestFinished(() => follower.close());
  follower.advance();
  return follower;
}

function maintain(data: string, parts: Partial<MaintenanceParts> = {}): Maintenance {
  return new Maintenance({
    dataDirectory: data,
    index: follow(data).index,
    feed: { isRead: () => false },
    forks: new ForksUnderWay(),
    forgetTexts: async () => undefined,
    carryAudit: async () => undefined,
    countRecords: async () => undefined,
    recovered: async () => undefined,
    ...parts,
  });
}

describe('a compaction beside runs that go on', () => {
  test('drops what has ended, and later runs lack nothing', { timeout: 120_000 }, async () => {
    const { data, own, first, second, third, living, limit } = history({ keys: false });
    const runtime = await openRuntime(data);
    await runtime.ended(living);
    const stop = runtime.subscribe(second, 1, () => undefined);
    const held = await runtime.compactJournal({ before: limit, dryRun: true });
    expect(held).toMatchObject({
      done: false,
      runs: [{ id: first }],
      held: [{ run: second, why: 'its events are being followed' }],
    });
    stop();
    const before = segmentsOf(data).length;
    const report = await runtime.compactJournal({ before: limit });
    expect(report).toMatchObject({ done: true, held: [], textsKept: 2, textsRemoved: 0 });
    expect(report.runs.map(({ id }) => id)).toEqual([first, second]);
    expect(segmentsOf(data)).toHaveLength(before - report.segments);
    expect(runtime.run(first)).toMatchObject({ compacted: true, status: 'succeeded' });
    expect(() => runtime.events(first, { from: 1, limit: 1 })).toThrow(/were dropped/);
    await expect(runtime.fork(first, { at: 1 })).rejects.toMatchObject({ code: 'RUN_COMPACTED' });
    expect(runtime.events(third, { from: 1, limit: 1 })).toHaveLength(1);
    // Its document is a text that only a segment which went had.
    const { request } = makeDesk([own]);
    const { agents } = { agents: { echo: { prompt: 'Say: {{document.name}}' } } };
    const pipeline = {
      name: 'again',
      agents,
      steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
    };
    const again = await runToEnd(runtime, { ...request, pipeline });
    expect(again).toMatchObject({ status: 'succeeded', error: null });
    await runtime.stop();
    expect(verifyJournal(data)).toMatchObject({ ok: true, runsAffected: [] });
    const journal = openReadOnly(data);
    onTestFinished(() => journal.close());
    for (const run of [third, living, again.id]) {
      expect(await journal.replay(run)).toMatchObject({ equal: true });
    }
  });

  test('leaves a reader that was open before its texts', async () => {
    const { data, shared, third, limit } = history({ keys: false });
    const reader = follow(data);
    const texts = new JournalTexts(data);
    onTestFinished(() => texts.close());
    const { done, textsKept } = await maintain(data).compact({ before: limit });
    expect({ done, textsKept }).toEqual({ done: true, textsKept: 2 });
    expect(reader.blobsOf(third)(sha256(shared))?.toString()).toBe(shared);
    expect(texts.lookup(sha256(shared), third, reader.position)?.toString()).toBe(shared);
    rmSync(join(data, 'journal', segmentsOf(data).at(-2) ?? ''));
    const late = new JournalTexts(data);
    onTestFinished(() => late.close());
    expect(() => late.lookup(sha256(shared), third, reader.position)).toThrow(/is not whole/);
  });

  test('keeps a run that is being forked, also where that begins meanwhile', async () => {
    const { data, first, second, limit } = history();
    const before = verifyJournal(data);
    const fork = Promise.withResolvers<void>();
    const forks = new ForksUnderWay();
    const maintenance = maintain(data, {
      forks,
      forgetTexts: async () => void forks.of(first, () => fork.promise),
    });
    await expect(maintenance.compact({ before: limit })).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_BUSY',
      message: expect.stringContaining('it is being forked'),
    });
    const held = await maintenance.compact({ before: limit });
    expect(held).toMatchObject({ done: false, held: [{ run: first, why: 'it is being forked' }] });
    expect(verifyJournal(data)).toMatchObject({ segments: before.segments, compacted: null });
    fork.resolve();
    await fork.promise;
    const free = maintain(data);
    expect((await free.compact({ before: limit })).runs.map(({ id }) => id)).toEqual([
      first,
      second,
    ]);
  });

  test('removes files only when forks and recoveries that may read them are over', async () => {
    const { data, first, third, limit } = history();
    const recovered = Promise.withResolvers<void>();
    const fork = Promise.withResolvers<void>();
    const { index } = follow(data);
    const forks = new ForksUnderWay();
    const maintenance = maintain(data, { index, forks, recovered: () => recovered.promise });
    const forked = forks.of(third, () => fork.promise);
    const before = segmentsOf(data);
    const compaction = maintenance.compact({ before: limit });
    await expect.poll(() => index.compacted.has(first), { timeout: 20_000 }).toBe(true);
    expect(segmentsOf(data)).toEqual(before);
    recovered.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    expect(segmentsOf(data)).toEqual(before);
    fork.resolve();
    await forked;
    const { segments } = await compaction;
    expect(segmentsOf(data)).toHaveLength(before.length - segments);
  });

  test('and a backup are one at a time, and a stop waits for it', async () => {
    const { data, limit } = history();
    const maintenance = maintain(data);
    const copy = join(temporaryFolder(), 'copy');
    const backup = maintenance.backUp(copy);
    await expect(maintenance.compact({ before: limit })).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_BUSY',
    });
    await maintenance.stop();
    const { seal } = await backup;
    expect(verifyJournal(copy)).toMatchObject({ ok: true, seal });
    await expect(maintenance.backUp(copy)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_BUSY' });
  });

  test('drops nothing behind a stop', async () => {
    const { data, limit } = history();
    let stopped: Promise<void> | null = null;
    const maintenance = maintain(data, {
      forgetTexts: async () => {
        stopped = maintenance.stop();
      },
    });
    const compaction = maintenance.compact({ before: limit });
    await expect(compaction).rejects.toMatchObject({ code: 'DATA_DIRECTORY_BUSY' });
    await stopped;
    expect(verifyJournal(data)).toMatchObject({ ok: true, compacted: null });
  });
});
