import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import { type RepairMode, repairJournal } from '../../src/journal/repair.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { newRunId } from '../../src/kernel/ids.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { fixtureFolder, recordedFacts } from './fixtures.ts';
import {
  EventChain,
  encodeBatch,
  segmentBytesOf,
  temporaryFolder,
  thrownBy,
  writeSegment,
} from './journal-fixture.ts';
import { type MarkedGroup, type MarkedJournal, markedJournal } from './marked-journal.ts';
import { runPython } from './python.ts';
import { SimulatedDisk } from './simulated-disk.ts';

const segmentBytes = 16 * 1024;
const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function flip(folder: string, segment: number, offset: number): void {
  const bytes = segmentBytesOf(folder, segment);
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  writeSegment(folder, segment, bytes);
}

function groupOf({ groups }: MarkedJournal, index: number): MarkedGroup {
  const group = groups[index];
  if (group === undefined) throw new Error(`there is no group ${index}`);
  return group;
}

function sequencesIn(folder: string): number[] {
  const reader = JournalReader.open(folder, { verifyDigests: true });
  const sequences = reader.advance().map(({ sequence }) => sequence);
  reader.close();
  return sequences;
}

/** What both readers find, and that a writer goes on behind it with a run of its own. */
function expectUsable(folder: string, sequences: readonly number[]): void {
  expect(sequencesIn(folder)).toEqual(sequences);
  const { status, lines } = runPython('scripts/journal_reader.py', [folder]);
  expect(lines.slice(0, -1).map((line) => (line as { sequence: number }).sequence)).toEqual(
    sequences,
  );
  expect(status).toBe(0);
  const last = sequences.at(-1) ?? 0;
  for (let start = 0; start < 2; start += 1) {
    const writer = JournalWriter.open(folder, { segmentBytes });
    expect(writer.recovered.lastSequence).toBe(last + 2 * start);
    const record = new EventChain('run', newRunId()).next();
    expect(writer.writeGroup([encodeBatch([record])]).refused).toEqual([]);
    writer.close();
  }
  expect(sequencesIn(folder)).toEqual([...sequences, last + 1, last + 2, last + 3, last + 4]);
  expect(verifyJournal(folder)).toMatchObject({ ok: true, faults: [] });
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

describe('a repair', () => {
  test.each(['truncate', 'skip'] as const)('by %s does not touch a sound journal', (mode) => {
    const { folder, lastSequence } = markedJournal({ groups: 5, segmentBytes });
    const bytes = segmentBytesOf(folder, 1);
    const report = repairJournal(folder, mode, { nowMs });
    expect(report).toMatchObject({ cutAt: null, kept: null, skipped: [], after: { ok: true } });
    expect(segmentBytesOf(folder, 1).equals(bytes)).toBe(true);
    expect(readdirSync(folder)).toEqual(['journal']);
    expectUsable(folder, upTo(lastSequence));
  });

  test('by truncation ends before the first damage, and keeps what it takes away', () => {
    const journal = markedJournal({ groups: 60, segmentBytes });
    const { folder } = journal;
    const group = journal.groups.findLast(({ segment }) => segment === 2);
    if (group === undefined) throw new Error('the second segment has a group');
    flip(folder, 2, group.offset + 70);
    flip(folder, 3, 400);
    const damaged = [2, 3].map((number) => segmentBytesOf(folder, number));
    const report = repairJournal(folder, 'truncate', { nowMs });
    expect(report.before.faults).toHaveLength(2);
    expect(report.cutAt).toEqual({ segment: 2, offset: group.offset });
    expect(report.kept).toBe(join(folder, 'damaged', '2026-01-02T03-04-05.678Z'));
    const kept = [2, 3].map((number) =>
      readFileSync(join(report.kept ?? '', `${String(number).padStart(10, '0')}.segment`)),
    );
    expect(kept).toEqual(damaged);
    expect(readdirSync(join(folder, 'journal')).sort()).toEqual([
      '0000000001.segment',
      '0000000002.segment',
    ]);
    expect(report.after).toMatchObject({ ok: true, lastSequence: group.sequence - 1, torn: null });
    expectUsable(folder, upTo(group.sequence - 1));
  });

  test('by skipping keeps all that can be read, and may be repeated for later damage', () => {
    const journal = markedJournal({ groups: 110, segmentBytes });
    const { folder, lastSequence, groups } = journal;
    const lost = [groupOf(journal, 3), groupOf(journal, 4), groupOf(journal, 9)];
    for (const { segment, offset } of lost) flip(folder, segment, offset + 70);
    flip(folder, 3, 30);
    const inThird = groups.filter(({ segment }) => segment === 3);
    const report = repairJournal(folder, 'skip', { nowMs });
    expect(report).toMatchObject({ cutAt: null, kept: null, after: { ok: true, lastSequence } });
    expect(report.skipped).toHaveLength(3);
    const later = groupOf(journal, 20);
    flip(folder, later.segment, later.offset + 70);
    expect(repairJournal(folder, 'skip', { nowMs }).skipped).toHaveLength(4);
    const gone = new Set(
      [...lost, later, ...inThird].flatMap(({ sequence }) => [
        sequence,
        sequence + 1,
        sequence + 2,
      ]),
    );
    expectUsable(
      folder,
      upTo(lastSequence).filter((sequence) => !gone.has(sequence)),
    );
  });

  test('by skipping goes over a first segment without a header, and cuts a last one', () => {
    for (const segment of [1, 4]) {
      const { folder, groups, lastSequence } = markedJournal({ groups: 110, segmentBytes });
      expect(groups.at(-1)?.segment).toBe(4);
      flip(folder, segment, 10);
      const report = repairJournal(folder, 'skip', { nowMs });
      const boundary = groups.find((group) => group.segment === Math.max(2, segment));
      const sequence = boundary?.sequence ?? 0;
      expect(report.skipped).toHaveLength(segment === 1 ? 1 : 0);
      expect(report.cutAt === null).toBe(segment === 1);
      const all = upTo(lastSequence);
      expectUsable(
        folder,
        segment === 1
          ? all.filter((each) => each >= sequence)
          : all.filter((each) => each < sequence),
      );
    }
  });

  test('that is interrupted anywhere is completed by the next one', () => {
    for (const mode of ['truncate', 'skip'] as const satisfies RepairMode[]) {
      const journal = markedJournal({ groups: 60, segmentBytes });
      const { folder } = journal;
      const [middle, last] = [groupOf(journal, 30), journal.groups.at(-1)];
      flip(folder, middle.segment, middle.offset + 70);
      flip(folder, last?.segment ?? 0, 10);
      const files = new Map(
        readdirSync(join(folder, 'journal')).map((name) => {
          const path = join(folder, 'journal', name);
          return [path, readFileSync(path)];
        }),
      );
      const undisturbed = repairJournal(folder, mode, { nowMs, files: new SimulatedDisk(files) });
      let operations = 0;
      for (let done = false; !done; operations += 5) {
        const disk = new SimulatedDisk(files);
        let left = operations;
        disk.decide = () => {
          left -= 1;
          if (left < 0) throw new Error('the process was killed');
          return 'done';
        };
        try {
          repairJournal(folder, mode, { nowMs, files: disk });
          done = true;
        } catch {
          const again = repairJournal(folder, mode, { nowMs: nowMs + 1, files: disk.afterKill() });
          expect(again.after).toEqual(undisturbed.after);
        }
      }
      expect(operations).toBeGreaterThan(20);
    }
  });

  test('that skips leaves a run with a gap to be looked at, and the others whole', async () => {
    const name = 'inbox-format-2';
    const { run, events } = recordedFacts(name);
    const folder = temporaryFolder();
    cpSync(fixtureFolder(name), folder, { recursive: true });
    flip(folder, 2, 3_000);
    expect(() => openReadOnly(folder)).toThrow(/damaged at offset/);
    const { after } = repairJournal(folder, 'skip', { nowMs });
    expect(after.runsAffected).toEqual([run]);
    const journal = openReadOnly(folder);
    const view = journal.run(run);
    expect(view).toMatchObject({ status: 'succeeded', error: { code: 'RUN_DAMAGED' } });
    expect(view.events).toBeLessThan(events);
    expect(journal.events(run, { from: 1, limit: 100 })).toHaveLength(view.events);
    await expect(journal.replay(run)).rejects.toMatchObject({ code: 'RUN_DAMAGED' });
    journal.close();
  });

  test('reads no list of skipped ranges that nobody wrote', () => {
    const { folder } = markedJournal({ groups: 3, segmentBytes });
    for (const text of ['', '{}', '[{"from":1}]', '[{"from":{"segment":1,"offset":-1}}]']) {
      writeFileSync(join(folder, 'journal/skipped.json'), text);
      expect(thrownBy(() => sequencesIn(folder)).code).toBe('JOURNAL_CORRUPT');
    }
  });
});
