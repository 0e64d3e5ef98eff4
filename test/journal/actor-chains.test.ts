import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ActorChains } from '../../src/journal/actor-chains.ts';
import type { AppendRecord } from '../../src/journal/record.ts';
import { recover } from '../../src/journal/recovery.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { newRunId, type RunId } from '../../src/kernel/ids.ts';
import { forgeJournal } from './forged-journal.ts';
import { EventChain, encodeBatch, temporaryFolder, testRun, thrownBy } from './journal-fixture.ts';
import { runPython } from './python.ts';

function started(run: RunId): AppendRecord {
  return {
    type: 'run-started',
    run,
    actor: null,
    actorSequence: 0,
    epoch: 0,
    cause: null,
    timeMs: 1,
    previousDigest: null,
    body: Buffer.from('{}'),
  };
}

test('after a gap only runs that began before it may lack events', () => {
  const [before, behind] = [newRunId(), newRunId()];
  const chains = new ActorChains();
  const mayLack = (run: RunId): boolean => chains.mayLack(encodeBatch([started(run)]), 0);
  chains.accept(encodeBatch([started(before)]), 0);
  expect(mayLack(before)).toBe(false);
  chains.gap();
  expect(mayLack(before)).toBe(true);
  chains.accept(encodeBatch([started(behind)]), 0);
  expect(mayLack(behind)).toBe(false);
  chains.gap();
  expect(mayLack(behind)).toBe(true);
});

describe('an event that does not continue its actor', () => {
  /** The second of three events is missing; every CRC, digest and seal is right. */
  function forged(): { folder: string; groups: AppendRecord[][] } {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'journal'));
    const source = new EventChain();
    const [first, , third] = [source.next(), source.next(), source.next()];
    const groups = [[started(testRun), first], [third]] as AppendRecord[][];
    return { folder, groups };
  }

  test('is corruption, for a start, a verification and the second reader', () => {
    const { folder, groups } = forged();
    forgeJournal(folder, groups);
    expect(thrownBy(() => recover(folder))).toMatchObject({
      code: 'JOURNAL_CORRUPT',
      details: { lastGoodSequence: 3 },
    });
    expect(verifyJournal(folder)).toMatchObject({
      ok: false,
      faults: [{ lastGoodSequence: 3, what: expect.stringContaining('does not continue') }],
      runsAffected: [testRun],
    });
    const { status, lines } = runPython('scripts/journal_reader.py', [folder]);
    expect(status).toBe(5);
    expect(lines.at(-1)).toMatchObject({ type: 'corrupt', lastGoodSequence: 3 });
  });

  test('is none where its actor goes on', () => {
    const { folder, groups } = forged();
    forgeJournal(folder, groups.slice(0, 1));
    expect(recover(folder).report.lastSequence).toBe(5);
    expect(verifyJournal(folder)).toMatchObject({ ok: true, lastSequence: 5 });
    expect(runPython('scripts/journal_reader.py', [folder]).status).toBe(0);
  });
});
