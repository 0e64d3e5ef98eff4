/**
 * An open run is rehydrated from its last snapshot and the events behind it,
 * against a full fold from its first event. The run is made by the real runtime,
 * and its snapshots are those that the runtime took; 50,000 events, 8,000 with `--quick`.
 * A crash is a backup that is taken in the midst of the run: no model slows it down, so it outpaces
 * the thread that takes snapshots, and what is behind the last one is a figure too. Then the
 * runtime stops, which takes a last one. Both must come to the same actors and messages as a fold.
 * Opening the journal, which every start does, is measured by itself, and in the sum.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert } from '../src/kernel/assert.ts';
import { canonicalJson, sha256 } from '../src/kernel/hash.ts';
import { JournalFollower } from '../src/runtime/journal-follower.ts';
import { programDigest } from '../src/runtime/program-digest.ts';
import { type RecoveredRun, recoverRun } from '../src/runtime/replay-run.ts';
import { startRuntime } from '../src/runtime/start-runtime.ts';
import { benchOptions, figure, interleave, ratios, report } from './harness.ts';
import { benchConfig, idlePipeline, writeDocuments } from './runs/idle-pipeline.ts';

const { quick, repetitions } = benchOptions();
const eventsMin = quick ? 8_000 : 50_000;
const documents = quick ? 100 : 500;
const steps = 64;
const program = programDigest();

const pipeline = idlePipeline('rehydrate', steps);

/** Makes the run, backs it up in the midst of it, and stops. */
async function record(root: string): Promise<string> {
  const folder = join(root, 'input');
  writeDocuments(folder, documents);
  const runtime = await startRuntime(benchConfig(join(root, 'data')));
  try {
    const { id } = await runtime.startRun({ pipeline, input: { folder }, seed: 1 });
    const isEnough = () =>
      runtime.run(id).events >= eventsMin && runtime.health().snapshots.taken > 0;
    while (!isEnough()) {
      assert(runtime.run(id).status === 'running', 'the run is long enough');
      await sleep(10);
    }
    await runtime.backUp(join(root, 'crashed'));
    assert(runtime.run(id).status === 'running', 'the run goes on');
    return id;
  } finally {
    await runtime.stop();
  }
}

function content({ actors, undelivered }: RecoveredRun): string {
  const living = actors.filter(({ done }) => !done);
  const sorted = living.toSorted((left, right) => (left.actor.id < right.actor.id ? -1 : 1));
  return sha256(canonicalJson([sorted, undelivered]));
}

const root = mkdtempSync(join(tmpdir(), 'openclaw-bench-rehydrate-'));
try {
  const run = await record(root);
  const open = (name: 'crashed' | 'data'): JournalFollower => {
    const follower = new JournalFollower(join(root, name), { verifyDigests: true });
    follower.advance();
    return follower;
  };
  const [crashed, stopped] = [open('crashed'), open('data')];
  const inSeconds = (what: () => unknown): number => {
    const startedMs = performance.now();
    what();
    return (performance.now() - startedMs) / 1_000;
  };
  const check = (follower: JournalFollower, name: string): { tail: number; events: number } => {
    const { events, snapshot } = follower.entry(run);
    assert(snapshot !== null && snapshot.events > 0, 'the runtime took a snapshot');
    const [short, full] = [recoverRun(follower, run, program), recoverRun(follower, run)];
    assert(short.snapshotRefusal === null, short.snapshotRefusal ?? '');
    assert(short.fromSnapshot === snapshot.events, 'it goes on from the snapshot');
    assert(full.divergence === null && content(short) === content(full), 'both are the same run');
    const living = short.actors.filter(({ done }) => !done).length;
    process.stdout.write(
      `${name}: ${events.length} events, ${snapshot.events} in the snapshot, ${living} actors live, ${short.undelivered.length} messages on their way\n`,
    );
    return { tail: events.length - snapshot.events, events: events.length };
  };
  const [afterCrash, afterStop] = [check(crashed, 'crashed'), check(stopped, 'stopped')];
  const cold = (name: 'crashed' | 'data') =>
    inSeconds(() => {
      const follower = open(name);
      recoverRun(follower, run, program);
      follower.close();
    });
  const samples = await interleave(
    {
      crashed: () => inSeconds(() => recoverRun(crashed, run, program)),
      stopped: () => inSeconds(() => recoverRun(stopped, run, program)),
      full: () => inSeconds(() => recoverRun(crashed, run)),
      open: () => inSeconds(() => open('crashed').close()),
      coldCrashed: () => cold('crashed'),
      coldStopped: () => cold('data'),
    },
    repetitions,
  );
  crashed.close();
  stopped.close();
  const less = { higherIsBetter: false };
  report('rehydrate', [
    figure('rehydrate.snapshot-and-tail', 's', samples.crashed, { ...less, goal: 1 }),
    figure('rehydrate.after-stop', 's', samples.stopped, { ...less, goal: 1 }),
    figure('rehydrate.full-fold', 's', samples.full, less),
    figure('rehydrate.gain', 'x', ratios(samples.full, samples.crashed)),
    figure('rehydrate.open-journal', 's', samples.open, less),
    figure('rehydrate.open-and-rehydrate', 's', samples.coldCrashed, less),
    figure('rehydrate.open-and-rehydrate-after-stop', 's', samples.coldStopped, less),
    figure('rehydrate.events', 'events', [afterCrash.events]),
    figure('rehydrate.tail', 'events', [afterCrash.tail], less),
    figure('rehydrate.tail-after-stop', 'events', [afterStop.tail], less),
  ]);
} finally {
  rmSync(root, { recursive: true, force: true });
}
