import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ActorChains } from '../../src/journal/actor-chains.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import type { AppendRecord } from '../../src/journal/record.ts';
import { recover } from '../../src/journal/recovery.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { assert } from '../../src/kernel/assert.ts';
import { newRunId, type RunId } from '../../src/kernel/ids.ts';
import { forgeJournal } from './forged-journal.ts';
import {
  EventChain,
  encodeBatch,
  smallSegment,
  temporaryFolder,
  testRun,
  thrownBy,
} from './journal-fixture.ts';
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

test('bodies of a run are encrypted, all of them or none', () => {
  const [plain, secret] = [newRunId(), newRunId()];
  const chains = new ActorChains();
  const put = (record: AppendRecord): string | null => {
    const bytes = encodeBatch([record]);
    const refusal = chains.refusal(bytes, 0);
    if (refusal === null) chains.accept(bytes, 0);
    return refusal;
  };
  const encrypted = { encrypted: true } as const;
  expect(put(started(plain))).toBeNull();
  expect(put({ ...started(secret), ...encrypted })).toBeNull();
  const [ofPlain, ofSecret] = [plain, secret].map((run) => new EventChain('run', run).next());
  if (ofPlain === undefined || ofSecret === undefined) throw new Error('there are two');
  const mixed = [
    [{ ...ofPlain, ...encrypted }, 'a body that is encrypted'],
    [ofSecret, 'a body that is not encrypted'],
  ] as const;
  for (const [event, why] of mixed) {
    expect(put(event)).toBe(why);
    const { run } = event;
    for (const type of ['snapshot', 'run-ended'] as const) {
      const body = { ...event, actor: null, actorSequence: 0, previousDigest: null };
      expect(put({ ...body, type, run })).toBe(why);
    }
  }
  expect(put(ofPlain)).toBeNull();
  // The start and the event may come in one batch, or the start of the run may be missing.
  const both = new ActorChains();
  both.accept(encodeBatch([{ ...started(secret), ...encrypted }]), 0);
  expect(new ActorChains().refusal(encodeBatch([ofSecret]), 0, both)).toBe(mixed[1][1]);
  expect(new ActorChains().refusal(encodeBatch([{ ...ofSecret, ...encrypted }]), 0)).toBeNull();
});

test('each actor continues its own chain, whoever was asked for before', () => {
  const other = newRunId();
  // Neighbours share a name or a run, or one's name begins with the other's.
  const sources = [
    new EventChain('run/a', testRun),
    new EventChain('run/a', other),
    new EventChain('run/ab', other),
    new EventChain('run/b', other),
    new EventChain('run/c', other),
    new EventChain('run/b', testRun),
  ];
  const chains = new ActorChains();
  for (let turn = 0; turn < 3; turn += 1) {
    // Forwards and backwards, so that each comes behind each of its neighbours.
    for (const source of turn % 2 === 0 ? sources : sources.toReversed()) {
      const bytes = encodeBatch([source.next()]);
      expect(chains.refusal(bytes, 0)).toBeNull();
      chains.accept(bytes, 0);
      expect(chains.refusal(bytes, 0)).not.toBeNull();
    }
  }
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

describe('an actor of a forked run', () => {
  const fork = newRunId();

  /** Its first three events in the parent, then those after the first one in the fork. */
  function branched(change: Partial<AppendRecord> = {}): AppendRecord[] {
    const source = new EventChain();
    const [first, second, third] = [source.next(), source.next(), source.next()];
    assert(first !== undefined && second !== undefined && third !== undefined, 'three events');
    const branch: AppendRecord = {
      ...first,
      type: 'branch',
      run: fork,
      epoch: 2,
      previousDigest: second.previousDigest,
      body: Buffer.alloc(0),
      ...change,
    };
    const tail = { ...second, run: fork, epoch: 2 };
    return [started(testRun), first, second, third, started(fork), branch, tail];
  }

  function verdicts(records: AppendRecord[]) {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'journal'));
    forgeJournal(folder, [records]);
    const status = runPython('scripts/journal_reader.py', [folder]).status;
    return { ok: verifyJournal(folder).ok, status, recover: () => recover(folder) };
  }

  test('goes on from an event of its parent', () => {
    const { ok, status, recover } = verdicts(branched());
    expect({ ok, status }).toEqual({ ok: true, status: 0 });
    const last = recover().report.lastSequence;
    expect(last).toBe(10);
  });

  test('and the writer takes it', () => {
    const writer = JournalWriter.open(temporaryFolder(), { segmentBytes: smallSegment });
    const batches = [branched().slice(0, 5), branched().slice(5)].map((each) => encodeBatch(each));
    expect(writer.writeGroup(batches).refused).toEqual([]);
    const [again] = writer.writeGroup([encodeBatch(branched().slice(5))]).refused;
    expect(again?.message).toMatch(/branch of an actor that has begun/);
    writer.close();
  });

  test.each([
    ['from another event', { actorSequence: 2 }],
    ['from another digest', { previousDigest: Buffer.alloc(32, 1) }],
    ['from none', { previousDigest: null }],
    ['under a higher epoch', { epoch: 3 }],
  ])('does not go on %s', (_, change) => {
    const { ok, status, recover } = verdicts(branched(change));
    expect({ ok, status }).toEqual({ ok: false, status: 5 });
    expect(thrownBy(recover)).toMatchObject({ code: 'JOURNAL_CORRUPT' });
  });
});
