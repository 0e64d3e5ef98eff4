/** Recorded journals, folded again by both kinds of stepper. */
import { expect, onTestFinished, test } from 'vitest';
import { eventOf } from '../../src/runtime/event-record.ts';
import { replayStep } from '../../src/runtime/fold-run.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { fixtureFolder, recordedFacts } from '../journal/fixtures.ts';

const name = 'inbox-format-2';

test('a recorded run is equal under the tables and under XState', async () => {
  const { run } = recordedFacts(name);
  const journal = openReadOnly(fixtureFolder(name));
  onTestFinished(() => journal.close());
  const compact = await journal.replay(run, 'compact');
  expect(compact).toMatchObject({ equal: true, events: 82 });
  expect(await journal.replay(run, 'xstate')).toEqual(compact);
  expect(await journal.replay(run)).toEqual(compact);
});

test.each(['compact', 'xstate'] as const)('%s steps what it was asked to', (stepper) => {
  const follower = new JournalFollower(fixtureFolder(name));
  onTestFinished(() => follower.close());
  follower.advance();
  const entry = follower.entry(recordedFacts(name).run);
  const [first] = follower.records(entry, [1]);
  if (first === undefined) throw new Error('the run has a first event');
  const body = eventOf(first.record, follower.blobsOf(entry.id));
  const stepped = replayStep(first, body, undefined, stepper);
  if (!('effects' in stepped)) throw new Error('the event is equal');
  const { state } = stepped.effects.actor;
  expect(state.stepper).toBe(stepper);
  // Only a snapshot of XState knows its machine.
  expect('machine' in state.snapshot).toBe(stepper === 'xstate');
});
