/** A runtime that is stopped leaves a snapshot of each open run, so that its next start replays nothing. */
import { expect, onTestFinished, test } from 'vitest';
import type { JournalProducer } from '../../src/journal/journal-producer.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { programDigest } from '../../src/runtime/program-digest.ts';
import { recoverRun } from '../../src/runtime/replay-run.ts';
import { auditSnapshot } from '../../src/runtime/snapshot-run.ts';
import { SnapshotService } from '../../src/runtime/snapshot-service.ts';
import { deskTexts, journalOf, makeDesk, openRuntime, testFolder, untilEvents } from './running.ts';

const program = programDigest();

test('a stop snapshots each open run at its last event, and none that has ended', async () => {
  const desk = makeDesk(deskTexts(3));
  const first = await openRuntime(desk.dataDirectory);
  const done = await first.startRun({
    ...desk.request,
    input: { folder: makeDesk(['Hello']).request.input.folder },
  });
  await first.ended(done.id);
  const { id } = await first.startRun(desk.request);
  await untilEvents(first, id, 12);
  expect(first.run(id).status).toBe('running');
  await first.stop();

  const follower = journalOf(desk.dataDirectory);
  const entry = follower.entry(id);
  const events = entry.events.length;
  expect(entry.ended).toBeNull();
  expect(events).toBeGreaterThanOrEqual(12);
  expect(entry.snapshot?.events).toBe(events);
  expect(follower.entry(done.id).snapshot).toBeNull();
  expect(auditSnapshot(follower, entry, program)).toMatchObject({ difference: null });
  expect(recoverRun(follower, entry.id, program)).toMatchObject({
    fromSnapshot: events,
    snapshotRefusal: null,
    problem: null,
  });

  const second = await openRuntime(desk.dataDirectory);
  expect(second.run(id).events).toBeGreaterThanOrEqual(events);
  const run = await second.ended(id);
  expect(run.status).toBe('succeeded');
  await second.stop();
  // The one of the first stop is the last: the run was over at the second.
  const later = journalOf(desk.dataDirectory);
  expect(later.entry(id).snapshot?.events).toBe(events);
  expect(recoverRun(later, entry.id)).toMatchObject({ divergence: null, problem: null });
});

test('a run that has not grown since its last snapshot gets none at a stop', async () => {
  const desk = makeDesk(deskTexts(40));
  const first = await openRuntime(desk.dataDirectory);
  const { id } = await first.startRun(desk.request);
  await untilEvents(first, id, 12);
  await first.stop();
  const noted = () => {
    const { snapshot, events } = journalOf(desk.dataDirectory).entry(id);
    return { events: events.length, snapshot };
  };
  const before = noted();
  expect(before.snapshot?.events).toBe(before.events);
  // A model that is not there: the start fails before any run goes on.
  await expect(
    openRuntime(desk.dataDirectory, { model: { file: '/nowhere.gguf' } }),
  ).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  expect(noted()).toEqual(before);
});

function serviceBeside(producer: Partial<JournalProducer>, notices: string[]): SnapshotService {
  const dataDirectory = testFolder();
  const follower = new JournalFollower(dataDirectory);
  onTestFinished(() => follower.close());
  const { durablePosition = () => 0, appendedPosition = () => 0, failed = () => false } = producer;
  return new SnapshotService({
    dataDirectory,
    follower,
    threads: { producer: { durablePosition, appendedPosition, failed } as JournalProducer },
    onNotice: (text) => notices.push(text),
  });
}

test('neither a slow disk nor a journal that cannot be read holds up a stop', async () => {
  const notices: string[] = [];
  const slow = serviceBeside({ appendedPosition: () => 1 }, notices);
  let shown = 0;
  await slow.finish(50, () => {
    shown += 1;
  });
  expect({ shown, notices }).toEqual({ shown: 0, notices: [] });
  await slow.close();
  const unreadable = serviceBeside({}, notices);
  await unreadable.finish(10_000, () => {
    throw new Error('a record is not whole');
  });
  expect(notices).toEqual([expect.stringContaining('a record is not whole')]);
  await unreadable.close();
  const failed = serviceBeside({ appendedPosition: () => 1, failed: () => true }, notices);
  const startedMs = performance.now();
  await failed.finish(10_000, () => {
    shown += 1;
  });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  expect(shown).toBe(0);
  await failed.close();
});
