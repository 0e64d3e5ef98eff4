/** Forks on hosts that a test drives: what is asked again, and what sleeps. */
import { expect, onTestFinished, test } from 'vitest';
import { actorId, type RunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { ActorHost } from '../../src/runtime/actor-host.ts';
import { eventOf } from '../../src/runtime/event-record.ts';
import { forkPoints } from '../../src/runtime/fork-point.ts';
import { recoverRun } from '../../src/runtime/replay-run.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { fork } from './forked-run.ts';
import { type Answer, generated, World, writingPipeline, written } from './world.ts';

const agent = actorId('run/document-1/supervisor/echo');
const answering: Answer = (operation) => (operation === 'file.write' ? written : generated('yes'));

function world(): World {
  const of = new World(temporaryFolder());
  onTestFinished(() => of.close());
  return of;
}

/** The event behind which the agent waits for its answer. */
function askedAt(of: World, run: RunId): number {
  const first = of.follower.entry(run).actors.get(agent)?.events[0];
  if (first === undefined) throw new Error('the agent has begun');
  return first + 1;
}

function sleep(of: World): void {
  of.clock.advance(limits.actorIdleMsMax + 1);
  of.host(0).hibernateIdle();
  of.flush();
}

test('what its parent came to hear is not asked again, and nothing else is withheld', async () => {
  const of = world();
  const parent = of.start(writingPipeline, ['one']);
  of.play(answering);
  const at = askedAt(of, parent);
  of.acts.length = 0;
  const run = await fork(of, parent, { at });
  of.settle();
  // Of the generation the parent knows the outcome; the writing that follows is the fork's own.
  expect(of.acts.map(({ open }) => open.intention.operation)).toEqual(['write']);
  of.play(answering);
  expect(of.follower.entry(run).ended?.body.status).toBe('succeeded');
});

test('without an outcome of the parent it asks itself', async () => {
  const of = world();
  const parent = of.start(writingPipeline, ['one']);
  of.play((operation) => (operation === 'inference.generate' ? null : written));
  of.acts.length = 0;
  await fork(of, parent, { at: of.follower.entry(parent).events.length });
  expect(of.acts.map(({ open }) => open.intention.operation)).toEqual(['generate']);
});

test('an actor that sleeps before its first event in the fork begins its chain when it wakes', async () => {
  const of = world();
  const parent = of.start(writingPipeline, ['one']);
  of.play((operation) => (operation === 'inference.generate' ? null : written));
  const run = await fork(of, parent, { at: of.follower.entry(parent).events.length });
  const [act] = of.acts.filter((each) => each.run === run);
  if (act === undefined) throw new Error('the agent asks');
  sleep(of);
  expect(of.directory.lookup(run, agent).state).toBe('hibernated');
  of.deliverOutcome(act, generated('yes'));
  of.play((operation, _, { run: of_ }) =>
    of_ === run && operation === 'file.write' ? written : null,
  );
  const entry = of.follower.entry(run);
  expect(entry.ended?.body.status).toBe('succeeded');
  expect(recoverRun(of.follower, run).divergence).toBeNull();
});

test('a snapshot of the parent from behind the fork is none of the fork', async () => {
  const of = world();
  const parent = of.start(writingPipeline, ['one']);
  of.play((operation) => (operation === 'inference.generate' ? null : written));
  const at = askedAt(of, parent);
  of.play((operation) => (operation === 'file.write' ? null : generated('yes')));
  sleep(of);
  const slept = of.follower.entry(parent).actors.get(agent)?.snapshot;
  expect(slept?.sequence).toBe(2);
  const early = await fork(of, parent, { at });
  expect(of.follower.entry(early).actors.get(agent)?.snapshot).toBeNull();
  const late = await fork(of, parent, { at: of.follower.entry(parent).events.length });
  expect(of.follower.entry(late).actors.get(agent)?.snapshot).toEqual(slept);
});

test('an actor is told of its new definition before it hears what came of an old question', async () => {
  const of = world();
  const parent = of.start(writingPipeline, ['one']);
  of.play((operation) => (operation === 'inference.generate' ? null : written));
  of.acts.length = 0;
  const ports = {
    // Whoever acts is as fast as can be: the outcome is there before anything else is sent.
    adopt: (_host: number, message: Parameters<ActorHost['adopt']>[0]) => {
      of.settle();
      of.host(0).adopt(message);
      of.answer(answering);
      of.settle();
    },
  };
  const at = of.follower.entry(parent).events.length;
  const run = await fork(of, parent, { at, amended: true }, ports);
  of.play(answering);
  const entry = of.follower.entry(run);
  const own = [
    ...of.follower.records(entry, entry.actors.get(agent)?.events.map((each) => each + 1) ?? []),
  ]
    .filter(({ sequence }) => sequence > at)
    .map(({ record }) => eventOf(record, of.follower.blobsOf(run)).event.type);
  expect(own[0]).toBe('amend');
  expect(entry.ended?.body.status).toBe('succeeded');
});

test('of the forks that a run is a fork of only those before it count', async () => {
  const of = world();
  const parent = of.start(writingPipeline, ['one']);
  of.play(answering);
  const first = await fork(of, parent, { at: 4, amended: true });
  of.play(answering);
  const points = async (at: number) => {
    const entry = of.follower.entry(await fork(of, first, { at }));
    return forkPoints(entry, of.follower.index).map((point) => point.at);
  };
  expect(await points(3)).toEqual([3]);
  expect(await points(4)).toEqual([4]);
  expect(await points(5)).toEqual([4, 5]);
});
