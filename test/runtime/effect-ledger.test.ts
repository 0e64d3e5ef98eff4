import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { FinishIntention } from '../../src/actors/intention.ts';
import type { Outcome } from '../../src/actors/outcome.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import type { AppendRecord } from '../../src/journal/record.ts';
import { effectLedger } from '../../src/runtime/effect-ledger.ts';
import { type EventBody, rawBodyOf, runEndedRecords } from '../../src/runtime/event-record.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { fixtureFolder, recordedFacts } from '../journal/fixtures.ts';
import { forgeJournal } from '../journal/forged-journal.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { type Answer, generated, World, writingPipeline, written } from './world.ts';

const cancelled: FinishIntention = {
  kind: 'finish',
  status: 'cancelled',
  outputs: {},
  resultHash: '',
  error: null,
};

/** @param ended Ends the run from outside, as the cancel of a suspended one does. */
function ledgerOf(answer: Answer, ended = false) {
  const world = new World(temporaryFolder());
  onTestFinished(() => world.close());
  const run = world.start(writingPipeline, ['one', 'two']);
  world.play(answer);
  if (ended) {
    const recording = { timeMs: world.clock.nowMs(), store: world.storeOf(run) };
    world.append(runEndedRecords(run, cancelled, recording));
    world.flush();
  }
  const entry = world.follower.entry(run);
  return { ledger: effectLedger(world.follower, entry), entry, acts: world.deeds };
}

const answering: Answer = (operation) => (operation === 'file.write' ? written : generated('yes'));

test('names every effect once, with its class, and the events that wanted and answered it', () => {
  const { ledger, entry, acts } = ledgerOf(answering);
  const keys = acts.flatMap((deed) => (deed.type === 'act' ? [deed.open.key] : []));
  expect(ledger.map(({ key }) => key).sort()).toEqual(keys.sort());
  expect(ledger.map(({ operation, effect }) => `${operation} ${effect}`).sort()).toEqual([
    'blobs.read pure',
    'blobs.read pure',
    'file.write idempotent',
    'file.write idempotent',
    'inference.generate pure',
    'inference.generate pure',
  ]);
  for (const { key, actor, status, code, requested, answered } of ledger) {
    expect({ status, code }).toEqual({ status: 'completed', code: null });
    expect(key.startsWith(`${entry.id}:${actor}:`)).toBe(true);
    expect(requested.sequence).toBeLessThan(answered?.sequence ?? 0);
  }
  const order = ledger.map(({ requested }) => requested.sequence);
  expect(order).toEqual(order.toSorted((left, right) => left - right));
});

test('tells an outcome that is not the wanted one, and one that is missing', () => {
  const unknown: Outcome = {
    status: 'unknown',
    error: { code: 'OUTCOME_UNKNOWN', message: 'Nobody can say.' },
  };
  const writes = (answer: Answer, ended = false) =>
    ledgerOf(answer, ended).ledger.flatMap(({ operation, status, code }) =>
      operation === 'file.write' ? [{ status, code }] : [],
    );
  const first = writes((operation) => (operation === 'file.write' ? unknown : generated('yes')))[0];
  expect(first).toEqual({ status: 'unknown', code: 'OUTCOME_UNKNOWN' });
  const silent: Answer = (operation) => (operation === 'file.write' ? null : generated('yes'));
  expect(writes(silent)).toEqual([
    { status: 'open', code: null },
    { status: 'open', code: null },
  ]);
  expect(writes(silent, true)).toEqual([
    { status: 'unanswered', code: null },
    { status: 'unanswered', code: null },
  ]);
});

test('keeps the first outcome of a key, whatever comes later', () => {
  const name = 'inbox-format-2';
  const reader = JournalReader.open(fixtureFolder(name));
  const records = reader.advance().filter(({ type }) => type !== 'seal' && type !== 'mark');
  reader.close();
  const outcome = records.find(({ body }) => String(body).includes('"type":"outcome"'));
  if (outcome === undefined) throw new Error('the run has an outcome');
  const body = rawBodyOf(outcome) as EventBody;
  const error = { code: 'INTERNAL', message: 'late' };
  const event = { ...body.event, outcome: { status: 'failed', error } };
  const late = { ...outcome, body: Buffer.from(JSON.stringify({ ...body, event })) };
  const ledgerIn = (content: readonly AppendRecord[]) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'journal'));
    forgeJournal(
      folder,
      content.map((record) => [record]),
      256 * 1024,
    );
    const follower = new JournalFollower(folder);
    onTestFinished(() => follower.close());
    follower.advance();
    const entry = follower.entry(recordedFacts(name).run);
    return { events: entry.events.length, ledger: effectLedger(follower, entry) };
  };
  const [once, twice] = [ledgerIn(records), ledgerIn([...records, late])];
  expect(twice.events).toBe(once.events + 1);
  expect(once.ledger.some(({ key }) => key === body.cause)).toBe(true);
  expect(twice.ledger).toEqual(once.ledger);
});
