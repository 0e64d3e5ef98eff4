/** Goal: a snapshot and the events behind it make the run that all its events make, or it is not used. */
import { expect, onTestFinished, test } from 'vitest';
import { sha256 } from '../../src/kernel/hash.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { type RunSnapshotBody, runSnapshotRecords } from '../../src/runtime/event-record.ts';
import { programDigest } from '../../src/runtime/program-digest.ts';
import { foldRange, recoverRun } from '../../src/runtime/replay-run.ts';
import { startFromSnapshot } from '../../src/runtime/run-snapshot.ts';
import { RunSnapshots, type SnapshotTasks } from '../../src/runtime/run-snapshots.ts';
import { auditSnapshot, takeSnapshot } from '../../src/runtime/snapshot-run.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { type Answer, generated, World, writingPipeline, written } from './world.ts';

const program = programDigest();
const texts = Array.from({ length: 5 }, (_, index) => `Text ${index}. `.repeat(40));
/** Its steps end in another order than that of their names, which the states of the run keep. */
const laterFirst = {
  name: 'order',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: ['z', 'm', 'a', 'k'].map((id, index, ids) => ({
    id,
    agent: 'echo',
    map: 'documents',
    needs: ids.slice(0, index).slice(-1),
  })),
};
const answering: Answer = (operation) => (operation === 'file.write' ? written : generated('yes'));

function world(): World {
  const of = new World(temporaryFolder(), 2);
  onTestFinished(() => of.close());
  return of;
}

function take(of: World, run: RunId): RunSnapshotBody {
  const entry = of.follower.entry(run);
  const { body } = takeSnapshot(of.follower, entry, { program, whole: false });
  if (body === null) throw new Error('there is something to snapshot');
  return body;
}

function write(of: World, run: RunId, body: RunSnapshotBody): void {
  of.append(runSnapshotRecords(run, body, { timeMs: of.clock.nowMs(), store: of.storeOf(run) }));
  of.flush();
}

/** Without what says how it was come by. */
function recovered(of: World, run: RunId, known?: typeof program) {
  const {
    fromSnapshot: _from,
    snapshotRefusal: _why,
    ...rest
  } = recoverRun(of.follower, run, known);
  const actors = rest.actors
    .filter(({ done }) => !done)
    .toSorted((left, right) => left.actor.id.localeCompare(right.actor.id));
  return { ...rest, actors };
}

/** Steps one event at a time, so that a snapshot falls between a send and its receipt. */
async function stepByStep(of: World, between: () => void | Promise<void>): Promise<void> {
  let credit = 0;
  of.room = () => {
    credit -= 1;
    return credit >= 0;
  };
  for (let quiet = 0; quiet < 3; ) {
    credit = of.hosts.length; // One is lost on a host without work.
    of.settle();
    of.flush();
    await between();
    quiet = of.hosts.some(({ hasWork }) => hasWork) ? 0 : quiet + 1;
    if (quiet === 2 && of.answer(answering) > 0) quiet = 0;
  }
}

test.for([
  ['writes', writingPipeline],
  ['has steps in another order than their names', laterFirst],
] as const)(
  'at each event of a run that %s a snapshot taken before and the tail make the actors and the mail of a full replay',
  async ([, pipeline]) => {
    const of = world();
    const run = of.start(pipeline, texts);
    let compared = 0;
    let onTheWay = 0;
    let seen = 0;
    await stepByStep(of, () => {
      const entry = of.follower.entry(run);
      const events = entry.events.length;
      if (events === seen || entry.ended !== null) return;
      seen = events;
      if (entry.snapshot !== null) {
        const found = recoverRun(of.follower, run, program);
        expect(found).toMatchObject({ fromSnapshot: entry.snapshot.events, snapshotRefusal: null });
        expect(recovered(of, run, program)).toEqual(recovered(of, run));
        onTheWay += found.undelivered.length;
        compared += 1;
      }
      // Often, so that each is gone on from by the next, and sometimes not for a while.
      if (events % 7 === 3) {
        write(of, run, take(of, run));
        expect(auditSnapshot(of.follower, of.follower.entry(run), program)).toMatchObject({
          difference: null,
          equal: true,
        });
      }
    });
    expect(of.follower.entry(run).ended?.body.status).toBe('succeeded');
    expect(compared).toBeGreaterThan(20);
    expect(onTheWay).toBeGreaterThan(10);
  },
);

function halfWay(of: World): RunId {
  const run = of.start(writingPipeline, texts);
  of.settle();
  of.flush();
  return run;
}

type Forgery = (body: RunSnapshotBody) => RunSnapshotBody;

function changeActor(body: RunSnapshotBody, change: (json: string) => string): RunSnapshotBody {
  const [first, ...rest] = body.actors;
  if (first === undefined) throw new Error('an actor lives');
  const actor = change(first.actor);
  expect(actor).not.toBe(first.actor);
  return { ...body, actors: [{ ...first, actor }, ...rest] };
}

const refused: readonly [string, Forgery, RegExp][] = [
  ['another program', (body) => ({ ...body, program: sha256('another') }), /another version/],
  ['another run state', (body) => ({ ...body, stateHash: sha256('x') }), /another state there/],
  [
    'another state of an actor',
    (body) => changeActor(body, (json) => json.replace('"context":{', '"context":{"forged":1,')),
    /was in another state/,
  ],
  [
    'an unknown actor',
    (body) => ({
      ...body,
      actors: body.actors.map((each) => ({ ...each, id: `${each.id}x` as never })),
    }),
    /no event of/,
  ],
  [
    'another place in its history',
    (body) => changeActor(body, (json) => json.replace(/"sequence":\d+/, '"sequence":1000')),
    /another state/,
  ],
  ['no such text', (body) => ({ ...body, texts: [] }), /no blob/],
];

test.for(refused)('a snapshot with %s is refused and all is replayed', ([, forge, why]) => {
  const of = world();
  const run = halfWay(of);
  write(of, run, forge(take(of, run)));
  const { snapshotRefusal, fromSnapshot, problem } = recoverRun(of.follower, run, program);
  expect(snapshotRefusal).toMatch(why);
  expect({ fromSnapshot, problem }).toEqual({ fromSnapshot: 0, problem: null });
  expect(recovered(of, run, program)).toEqual(recovered(of, run));
});

test('an event that does not continue its snapshot makes the recovery replay all', () => {
  const of = world();
  const run = of.start(writingPipeline, texts);
  of.settle();
  of.flush();
  const body = take(of, run);
  // It says that nothing is open, so the outcome behind it answers nothing.
  const actors = body.actors.map((each) => {
    const json = JSON.parse(each.actor) as object;
    return { ...each, actor: JSON.stringify({ ...json, open: {} }) };
  });
  write(of, run, { ...body, actors });
  of.play(answering);
  const { snapshotRefusal, fromSnapshot, divergence } = recoverRun(of.follower, run, program);
  expect(snapshotRefusal).toMatch(/does not continue it/);
  expect({ fromSnapshot, divergence }).toEqual({ fromSnapshot: 0, divergence: null });
});

function service(of: World, notices: string[], asked: RunId[] = []): RunSnapshots {
  const pool = {
    run: async (type: string, request: { run: RunId; whole: boolean }) => {
      asked.push(request.run);
      return type === 'snapshot-run'
        ? takeSnapshot(of.follower, of.follower.entry(request.run), {
            program,
            whole: request.whole,
          })
        : auditSnapshot(of.follower, of.follower.entry(request.run), program);
    },
  } as unknown as SnapshotTasks;
  return new RunSnapshots({
    dataDirectory: of.dataDirectory,
    program,
    index: of.follower.index,
    pool,
    append: (run, body) => write(of, run, body),
    onNotice: (text) => notices.push(text),
    clock: of.clock,
    events: 10,
  });
}

test('an audit finds what no hash covers, says so, and another snapshot takes the place', async () => {
  const of = world();
  const run = halfWay(of);
  const forged = take(of, run);
  // A message that was received counts as not received: every state is right.
  const change = (json: string) => json.replace(/"received":\{("[^"]+"):\d+/, '"received":{$1:0');
  write(of, run, changeActor(forged, change));
  expect(recoverRun(of.follower, run, program).snapshotRefusal).toBeNull();
  const notices: string[] = [];
  const snapshots = service(of, notices);
  onTestFinished(() => snapshots.stop());
  const entry = of.follower.entry(run);
  snapshots.changed({ type: 'run-snapshot', entry });
  of.clock.advance(100_000);
  await snapshots.settled();
  expect(notices).toEqual([expect.stringMatching(/^SNAPSHOT_MISMATCH: .* is another/)]);
  expect(snapshots.view()).toMatchObject({
    taken: 1,
    audited: 1,
    mismatches: 1,
    lastAudit: { run, equal: false },
  });
  const audit = auditSnapshot(of.follower, of.follower.entry(run), program);
  expect(audit).toMatchObject({ equal: true, at: entry.events.length });
});

test('a snapshot that was refused or found wrong is none of the index from then on', async () => {
  const of = world();
  const run = halfWay(of);
  write(of, run, take(of, run));
  const notices: string[] = [];
  const snapshots = service(of, notices);
  onTestFinished(() => snapshots.stop());
  const entry = of.follower.entry(run);
  snapshots.resumed(entry, 'a reason');
  expect(entry.snapshot).toBeNull();
  expect(notices).toEqual([expect.stringMatching(/was not used, for a reason/)]);
  await snapshots.settled();
});

test('the last snapshots hold all that is there, and nothing is begun behind them (N4)', async () => {
  const of = world();
  const runs = [of.start(writingPipeline, texts), of.start(writingPipeline, texts.slice(1))];
  of.settle();
  of.flush();
  const [grown, same] = runs.map((run) => of.follower.entry(run));
  if (grown === undefined || same === undefined) throw new Error('both have begun');
  write(of, same.id, take(of, same.id));
  const before = same.snapshot?.position;
  const asked: RunId[] = [];
  const snapshots = service(of, [], asked);
  await snapshots.takeLast();
  expect(asked).toEqual([grown.id]);
  expect(grown.snapshot?.events).toBe(grown.events.length);
  expect(same.snapshot?.position).toEqual(before);
  const last = grown.snapshot?.position;
  of.play(answering);
  expect(grown.events.length).toBeGreaterThan(20);
  snapshots.changed({ type: 'event', entry: grown, sequence: grown.events.length });
  snapshots.changed({ type: 'run-snapshot', entry: grown });
  of.clock.advance(1_000_000);
  await snapshots.settled();
  expect(grown.snapshot?.position).toEqual(last);
  expect(asked).toEqual([grown.id]);
});

test('a stop that comes before the last snapshots are taken leaves them out', async () => {
  const of = world();
  const entry = of.follower.entry(halfWay(of));
  const asked: RunId[] = [];
  const snapshots = service(of, [], asked);
  const taken = snapshots.takeLast();
  snapshots.stop();
  await taken;
  expect(asked).toEqual([]);
  expect(entry.snapshot).toBeNull();
});

test('snapshots come by the count of events, and not again before as many more', async () => {
  const of = world();
  const notices: string[] = [];
  const snapshots = service(of, notices);
  onTestFinished(() => snapshots.stop());
  const run = of.start(writingPipeline, texts);
  const places: number[] = [];
  let seen = 0;
  await stepByStep(of, async () => {
    const entry = of.follower.entry(run);
    if (entry.events.length > seen) {
      seen = entry.events.length;
      snapshots.changed({ type: 'event', entry, sequence: seen });
      await snapshots.settled();
    }
    const last = entry.snapshot?.events;
    if (last !== undefined && places.at(-1) !== last) places.push(last);
  });
  expect(notices).toEqual([]);
  // Both hosts take an event between two looks.
  expect([10, 11]).toContain(places[0]);
  expect(places.length).toBeGreaterThan(1);
  const [, second = 0] = places;
  // A run of many actors is written less often.
  expect(second - 10).toBeGreaterThan(limits.eventsPerSnapshotActor);
  for (const [index, place] of places.slice(1).entries())
    expect(place - (places[index] ?? 0)).toBeGreaterThanOrEqual(10);
});

test('a snapshot restores who is done, so that nothing is sent to them again', async () => {
  const of = world();
  const run = of.start(writingPipeline, texts);
  let ended = 0;
  let seen = 0;
  await stepByStep(of, () => {
    const entry = of.follower.entry(run);
    if (entry.events.length - seen < 5 || entry.ended !== null) return;
    seen = entry.events.length;
    write(of, run, take(of, run));
    const from = startFromSnapshot(of.follower, entry, program);
    if (from === null || 'refusal' in from) throw new Error('the snapshot is used');
    const { done } = foldRange(of.follower, entry, { from: null, to: from.events });
    expect(from.done).toEqual(done);
    // With nothing behind it the fold still knows them.
    expect(foldRange(of.follower, entry, { from, to: from.events }).done).toEqual(done);
    ended = Math.max(ended, done.size);
  });
  expect(ended).toBeGreaterThan(2);
});
