import fs, { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { backUp } from '../../src/journal/backup.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import { compactJournal } from '../../src/runtime/compact-journal.ts';
import {
  planCompaction,
  plannedCompaction,
  surveyJournal,
} from '../../src/runtime/compaction-plan.ts';
import { proveCompaction } from '../../src/runtime/compaction-proof.ts';
import { eraseRun } from '../../src/runtime/erase-run.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { thrownBy } from '../journal/journal-fixture.ts';
import { runPython } from '../journal/python.ts';
import { rewriteJournal } from './rewritten-journal.ts';
import { answer, definition, history, noise, open } from './small-segments.ts';
import { World } from './world.ts';

function view(data: string) {
  const journal = openReadOnly(data);
  onTestFinished(() => journal.close());
  return journal;
}

const segmentsOf = (data: string): string[] =>
  readdirSync(join(data, 'journal')).filter((name) => name.endsWith('.segment'));

const compact = (data: string, limit: { sequence: number } | { timeMs: number }) =>
  compactJournal(data, limit, { nowMs: 9 });

describe('a compaction', () => {
  test.each([
    // The shared text and the definition, which all runs of older formats have in common.
    { keys: false, textsKept: 2 },
    { keys: true, textsKept: 0 },
  ])('drops runs that replay equal, and leaves the rest as it was ($keys)', async (format) => {
    const { data, first, second, third, living, limit } = history(format);
    const before = view(data).runs();
    const whole = verifyJournal(data);
    const report = await compact(data, limit);
    const { textsKept } = format;
    expect(report).toMatchObject({ done: true, held: [], textsKept, textsRemoved: 1 });
    expect(report.segments).toBeGreaterThan(1);
    expect(report.runs.map(({ id }) => id)).toEqual([first, second]);
    expect(segmentsOf(data)).toHaveLength(whole.segments - report.segments);
    const { segments, lastSequence } = report;
    expect(verifyJournal(data)).toMatchObject({
      ok: true,
      seal: whole.seal,
      lastSequence: whole.lastSequence,
      compacted: { segments, runs: 2, lastSequence },
      runsAffected: [],
    });
    const after = view(data);
    expect(after.runs()).toEqual(
      before.map((run) => ([first, second].includes(run.id) ? { ...run, compacted: true } : run)),
    );
    expect(after.run(first)).toEqual({ ...before[0], compacted: true });
    expect(await after.replay(third)).toMatchObject({ equal: true });
    await expect(after.replay(first)).rejects.toMatchObject({ code: 'RUN_COMPACTED' });
    expect(thrownBy(() => after.events(second, { from: 1, limit: 1 })).code).toBe('RUN_COMPACTED');
    expect(await after.replay(living)).toMatchObject({ equal: true });
    const { status, lines } = runPython('scripts/journal_reader.py', [data]);
    expect(status).toBe(0);
    expect(lines.at(-1)).toMatchObject({ seal: whole.seal, lastSequence: whole.lastSequence });
    expect(readdirSync(data).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('is written on, and compacted again', async () => {
    const { data, first, second, third, living, limit } = history();
    const once = await compact(data, limit);
    const world = open(data);
    const fourth = world.start(definition, [noise(), noise(), noise()]);
    world.play(answer);
    world.cancel(living);
    world.play(answer);
    world.close();
    expect(await view(data).replay(fourth)).toMatchObject({ equal: true });
    const twice = await compact(data, { timeMs: Number.MAX_SAFE_INTEGER });
    expect(twice.lastSequence).toBeGreaterThan(once.lastSequence);
    expect(twice.runs.map(({ id }) => id)).toContain(third);
    const { ok, compacted } = verifyJournal(data);
    expect({ ok, compacted }).toMatchObject({
      ok: true,
      compacted: { lastSequence: twice.lastSequence, runs: 2 + twice.runs.length },
    });
    expect(view(data).run(first).compacted).toBe(true);
    expect(view(data).run(second).compacted).toBe(true);
    expect(runPython('scripts/journal_reader.py', [data]).status).toBe(0);
  });

  test('is held back by a run that is open or ended later, and says so', async () => {
    const { data, living, first } = history();
    const all = await compactJournal(data, { sequence: 1e9 }, { nowMs: 9, dryRun: true });
    expect(all).toMatchObject({ done: false, held: [{ run: living, why: 'it has not ended' }] });
    const [segment] = surveyJournal(data).segments;
    const sequence = (segment?.lastSequence ?? 0) + 1;
    const earlier = await compactJournal(data, { sequence }, { nowMs: 9, dryRun: true });
    expect(earlier.held).toMatchObject([{ run: first, why: 'it ended only after the limit' }]);
    expect(existsSync(join(data, 'journal/compactions'))).toBe(false);
    const nothing = await compact(data, { timeMs: 1 });
    expect(nothing).toMatchObject({ segments: 0, runs: [], held: [], done: false });
  });

  test('leaves the end of a run that reaches into what stays, which then belongs to none', async () => {
    const { data, first, second, third, afterFirst } = history();
    const report = await compact(data, afterFirst);
    expect(report).toMatchObject({ segments: 1, runs: [{ id: first }], held: [] });
    const left = JournalReader.open(data);
    expect(left.advance().some(({ run, type }) => run === first && type === 'event')).toBe(true);
    left.close();
    expect(verifyJournal(data)).toMatchObject({ ok: true, runsAffected: [] });
    expect(runPython('scripts/journal_reader.py', [data]).status).toBe(0);
    open(data).close();
    for (const run of [second, third]) {
      expect(await view(data).replay(run)).toMatchObject({ equal: true });
    }
    expect(view(data).runs()).toHaveLength(5);
  });

  test('keeps a run that does not replay equal, and all behind it', async () => {
    const { data, first, limit } = history();
    const forged = join(data, '../forged');
    openDataDirectory(forged, 1).release();
    rewriteJournal(
      data,
      forged,
      (body, { run, actorSequence }) => {
        if (run === first && actorSequence === 2) body.hash = 'f'.repeat(64);
      },
      () => true,
      64 * 1024,
    );
    cpSync(join(data, 'blobs'), join(forged, 'blobs'), { recursive: true });
    const report = await compact(forged, limit);
    expect(report).toMatchObject({ segments: 0, runs: [], done: false });
    expect(report.held).toMatchObject([{ run: first, segment: 1 }]);
    expect(report.held[0]?.why).toMatch(/its replay differs at event \d+/);
  });

  test('keeps a run that a fork begins with, and its segments, unless the fork goes too', () => {
    const { data, first, second, third, limit } = history();
    const survey = surveyJournal(data);
    const follower = new JournalFollower(data);
    onTestFinished(() => follower.close());
    follower.advance();
    // The last segment stays, even where no run needs it.
    const empty = { ...survey, runs: new Map() };
    const all = planCompaction(empty, follower.index, { sequence: 1e9 }, new Map());
    expect(all.through).toBe(survey.segments.length - 1);
    const child = (run: RunId, parent: RunId) => {
      const entry = follower.entry(run);
      const started = { ...entry.started, parent: { run: parent, at: 1 } };
      Object.assign(entry, { started });
    };
    child(second, first);
    expect(planCompaction(survey, follower.index, limit, new Map()).runs).toHaveLength(2);
    child(third, first);
    expect(planCompaction(survey, follower.index, limit, new Map())).toMatchObject({
      through: 0,
      runs: [],
      held: [{ run: first, why: `its fork ${third} begins with its events`, segment: 1 }],
    });
  });

  test('is followed by the backup of before', async () => {
    const { data, first, third, limit } = history({ keys: false });
    const copy = join(data, '../copy');
    backUp(data, copy, 1);
    const { segments } = await compact(data, limit);
    // The list, two texts, and of the audit two keys, leaves and a checkpoint are new; the dropped segments and one text are gone.
    expect(backUp(data, copy, 2).files).toMatchObject({ copied: 7, removed: segments + 1 });
    expect(segmentsOf(copy)).toEqual(segmentsOf(data));
    expect(verifyJournal(copy)).toEqual(verifyJournal(data));
    expect(view(copy).run(first).compacted).toBe(true);
    expect(await view(copy).replay(third)).toMatchObject({ equal: true });
  });

  test('can be tried again where a run that stays was erased meanwhile', () => {
    const { data, first, second, third, limit } = history();
    const { last, runs, erased } = plannedCompaction(data, limit, new Map());
    expect(runs).toEqual([first, second]);
    if (last === null) throw new Error('there is something to drop');
    // Between the two looks at what stays.
    const { symlinkSync } = fs;
    onTestFinished(() => {
      fs.symlinkSync = symlinkSync;
      syncBuiltinESMExports();
    });
    fs.symlinkSync = (...given) => {
      fs.symlinkSync = symlinkSync;
      syncBuiltinESMExports();
      eraseRun(data, third, { forks: false, nowMs: 9 });
      symlinkSync(...given);
    };
    syncBuiltinESMExports();
    const request = { dataDirectory: data, last, runs, erased, nowMs: 9, dryRun: false };
    expect(thrownBy(() => proveCompaction(request)).code).toBe('RUN_ERASED');
    expect(view(data).run(third).status).toBe('erased');
    expect(proveCompaction(request).compaction.runs).toHaveLength(2);
  });

  test('that a crash interrupts is whole after the next start', async () => {
    const { data, third, limit } = history();
    const whole = join(data, '../whole');
    cpSync(data, whole, { recursive: true });
    const { segments } = await compact(data, limit);
    const gone = segmentsOf(whole).slice(0, segments);
    const done = join(data, '../done');
    cpSync(data, done, { recursive: true });
    const { seal } = verifyJournal(whole);
    for (let left = 1; left <= gone.length; left += 1) {
      rmSync(data, { recursive: true });
      cpSync(done, data, { recursive: true });
      for (const name of gone.slice(-left)) {
        cpSync(join(whole, 'journal', name), join(data, 'journal', name));
      }
      expect(verifyJournal(data)).toMatchObject({ ok: true, seal });
      expect(runPython('scripts/journal_reader.py', [data]).status).toBe(0);
      open(data).close();
      expect(segmentsOf(data)).toEqual(segmentsOf(done));
      expect(await view(data).replay(third)).toMatchObject({ equal: true });
    }
  });

  test('hides no loss: a segment or a list that is missing or another is damage', async () => {
    const { data, limit } = history();
    const { segments } = await compact(data, limit);
    const next = segmentsOf(data)[0] ?? '';
    const list = join(data, 'journal/compactions');
    const copy = join(data, '../copy');
    const spoilt = (spoil: () => void): void => {
      cpSync(data, copy, { recursive: true });
      spoil();
      expect(runPython('scripts/journal_reader.py', [data]).status).toBe(5);
      expect(thrownBy(() => openReadOnly(data)).code).toBe('JOURNAL_CORRUPT');
      expect(thrownBy(() => new World(data)).code).toBe('JOURNAL_CORRUPT');
      rmSync(data, { recursive: true });
      cpSync(copy, data, { recursive: true });
    };
    spoilt(() => rmSync(join(data, 'journal', next)));
    spoilt(() => rmSync(list));
    spoilt(() => {
      const text = readFileSync(list, 'utf8');
      writeFileSync(list, text.replace('"events":', '"events":1'));
    });
    spoilt(() => writeFileSync(list, readFileSync(list, 'utf8').slice(0, -1).slice(0, 500)));
    rmSync(join(data, 'journal', next));
    expect(verifyJournal(data)).toMatchObject({
      ok: false,
      faults: [{ segment: segments + 1, what: 'its file is missing' }],
    });
  });
});
