/**
 * Verified replay against a bare loop that only steps and hashes the same
 * events in memory, each with XState and with the compiled tables, and the cost
 * of one event as the journal grows. The runs are made by the real runtime, 1,240
 * events each, as they come. Opening the journal is not in it: the fold reads
 * each record, its CRC and its texts, and compares state, intentions and context.
 */

import type { TimedEvent } from '../src/actors/event.ts';
import type { MachineName } from '../src/actors/intention.ts';
import { actorHash, initialState, type MachineState, step } from '../src/actors/step.ts';
import type { StepperKind } from '../src/actors/stepper.ts';
import { assert } from '../src/kernel/assert.ts';
import { eventOf } from '../src/runtime/event-record.ts';
import { foldRun } from '../src/runtime/fold-run.ts';
import { JournalFollower } from '../src/runtime/journal-follower.ts';
import { benchOptions, figure, interleave, ratios, report } from './harness.ts';
import { RecordedRuns } from './replay/recorded-runs.ts';

interface Loaded {
  readonly actor: string;
  readonly machine: MachineName;
  readonly event: TimedEvent;
}

const { quick, repetitions } = benchOptions();
const sizes = quick ? [1_000, 10_000] : [1_000, 10_000, 100_000, 1_000_000];
/** Events of the comparison, so that the bare loop has them in memory. */
const comparedMax = 10_000;

function sequencesOf(follower: JournalFollower, run: string): number[] {
  return follower.entry(run).events.map((_, index) => index + 1);
}

function loaded(follower: JournalFollower, run: string): Loaded[] {
  const records = follower.records(follower.entry(run), sequencesOf(follower, run));
  return [...records].map(({ record }) => {
    const { actor, machine, event } = eventOf(record, follower.blobsOf(follower.entry(run).id));
    const [name = ''] = machine.split('@');
    return { actor, machine: name as MachineName, event: { ...event, at: record.timeMs } };
  });
}

/** Events per second. */
function bare(runs: readonly (readonly Loaded[])[], kind: StepperKind, hashed = true): number {
  const startedMs = performance.now();
  let events = 0;
  for (const run of runs) {
    const states = new Map<string, MachineState>();
    for (const { actor, machine, event } of run) {
      const { state } = step(states.get(actor) ?? initialState(machine, kind), event);
      states.set(actor, state);
      if (hashed) actorHash(state);
      events += 1;
    }
  }
  return (events / (performance.now() - startedMs)) * 1_000;
}

/** Events per second. */
function verified(
  follower: JournalFollower,
  runs: readonly string[],
  stepper: StepperKind,
): number {
  const startedMs = performance.now();
  let events = 0;
  for (const run of runs) {
    const records = follower.records(follower.entry(run), sequencesOf(follower, run));
    const folded = foldRun(records, follower.blobsOf(follower.entry(run).id), {
      keepSends: false,
      stepper,
    });
    assert(folded.divergence === null, 'the replay is equal');
    events += folded.events;
  }
  return (events / (performance.now() - startedMs)) * 1_000;
}

function opened(recorded: RecordedRuns): JournalFollower {
  const follower = new JournalFollower(recorded.dataDirectory, { verifyDigests: true });
  follower.advance();
  return follower;
}

const recorded = await RecordedRuns.begin();
try {
  const curve: { events: number; us: number[] }[] = [];
  for (const size of sizes) {
    await recorded.growTo(size);
    const follower = opened(recorded);
    if (curve.length === 0) verified(follower, recorded.runs, 'compact');
    const taken = Array.from({ length: repetitions }, () =>
      verified(follower, recorded.runs, 'compact'),
    );
    curve.push({ events: recorded.events, us: taken.map((perSecond) => 1e6 / perSecond) });
    follower.close();
  }
  const follower = opened(recorded);
  const runs = recorded.runs.slice(
    0,
    Math.ceil(comparedMax / (recorded.events / recorded.runs.length)),
  );
  const inMemory = runs.map((run) => loaded(follower, run));
  const samples = await interleave(
    {
      bareXstate: () => bare(inMemory, 'xstate'),
      bareCompact: () => bare(inMemory, 'compact'),
      stepXstate: () => bare(inMemory, 'xstate', false),
      stepCompact: () => bare(inMemory, 'compact', false),
      xstate: () => verified(follower, runs, 'xstate'),
      compact: () => verified(follower, runs, 'compact'),
    },
    repetitions,
  );
  follower.close();
  const cost = { higherIsBetter: false };
  const best = curve.map(({ us }) => us.toSorted((left, right) => left - right));
  const middle = best.map((us) => us[us.length >> 1] ?? Number.NaN);
  report(
    'replay',
    [
      figure('replay.verified', 'x', ratios(samples.xstate, samples.bareXstate), { goal: 0.9 }),
      figure('replay.verified-compact', 'x', ratios(samples.compact, samples.bareCompact)),
      figure('replay.compact', 'x', ratios(samples.compact, samples.xstate), { goal: 2 }),
      figure('replay.compact-to-bare-xstate', 'x', ratios(samples.compact, samples.bareXstate), {
        goal: 0.9,
      }),
      figure('stepper.gain', 'x', ratios(samples.stepCompact, samples.stepXstate), { goal: 2 }),
      ...curve.map(({ events, us }) => figure(`replay.cost.${events}-events`, 'µs', us, cost)),
      figure('replay.flatness', 'x', [Math.max(...middle) / Math.min(...middle)], cost),
    ],
    ['xstate', 'canonicalize'],
  );
} finally {
  await recorded.end();
}
