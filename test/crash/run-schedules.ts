/**
 * One run with effects, on hosts over a journal on a disk that fails, through
 * any number of crashes to its end. What happens outside is remembered here,
 * and survives every crash.
 *
 * Invariants
 *   E1. An effect is carried out only once its intention is durable.
 *   E2. No effect is carried out whose outcome is in the journal.
 *   E3. An effect that comes again has the key that it had.
 *   E4. What must not be repeated never comes again: a crash that hides its outcome
 *       leaves it to a human, who looks, does it where it was not done, and says so.
 */
import type { Outcome } from '../../src/actors/outcome.ts';
import type { JournalMode } from '../../src/journal/journal-writer.ts';
import { canonicalJson } from '../../src/kernel/hash.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { effectLedger } from '../../src/runtime/effect-ledger.ts';
import type { RunEndedBody } from '../../src/runtime/event-record.ts';
import { runSnapshotRecords } from '../../src/runtime/event-record.ts';
import { programDigest } from '../../src/runtime/program-digest.ts';
import { type RecoveredRun, recoverRun } from '../../src/runtime/replay-run.ts';
import { resolution } from '../../src/runtime/resolve-effect.ts';
import { resumeRun } from '../../src/runtime/resume-run.ts';
import { takeSnapshot } from '../../src/runtime/snapshot-run.ts';
import { SimulatedDisk } from '../journal/simulated-disk.ts';
import { generated, type OpenAct, World, written } from '../runtime/world.ts';

const hosts = 2;
const program = programDigest();
const texts = ['one', 'two'];

/** For each document a file that may be written twice, and a line that may not. */
const effectfulPipeline = {
  name: 'demo',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: [
    {
      id: 'echo',
      agent: 'echo',
      map: 'documents',
      write: { path: 'echo-{{document.name}}', template: 'heard' },
    },
    {
      id: 'log',
      map: 'documents',
      needs: ['echo'],
      write: { path: 'log.md', template: '{{document.name}}', append: true },
    },
  ],
};

/** What the mode allows: a relaxed journal refuses what must not be repeated. */
export function pipelineFor(mode: JournalMode): object {
  const { steps, ...rest } = effectfulPipeline;
  return mode === 'durable' ? effectfulPipeline : { ...rest, steps: steps.slice(0, 1) };
}

/** What an uninterrupted run comes to. */
export interface Expected {
  readonly ended: RunEndedBody;
  readonly events: number;
  /** Without the id of the run. */
  readonly effectKeys: readonly string[];
}

/** What was done outside, whatever became of the process that asked for it. */
export class Outside {
  /** Effects with a trace: how often each key was carried out. */
  readonly effects = new Map<string, number>();

  /** Effects that a human had to look for. */
  doubted = 0;

  perform({ open }: OpenAct): void {
    const times = this.effects.get(open.key) ?? 0;
    if (times > 0 && open.intention.effect === 'once') throw new Error(`${open.key} again`); // (E4)
    this.effects.set(open.key, times + 1);
  }

  /** Keys without the id of the run. */
  keys(): string[] {
    return [...this.effects.keys()].map((key) => key.slice(key.indexOf(':'))).sort();
  }
}

export function openWorld(folder: string, disk: SimulatedDisk, mode: JournalMode): World {
  return new World(folder, hosts, 1_000, { files: disk, mode });
}

/** The run of a world that never fails. */
export function uninterrupted(
  folder: string,
  mode: JournalMode,
): {
  expected: Expected;
  disk: SimulatedDisk;
  run: RunId;
} {
  const disk = new SimulatedDisk();
  const world = openWorld(folder, disk, 'durable');
  const run = world.start(pipelineFor(mode), texts);
  const outside = new Outside();
  playOn(world, outside, () => 1);
  const { ended, events } = world.follower.entry(run);
  world.close();
  if (ended === null) throw new Error('the run has ended');
  return {
    expected: { ended: ended.body, events: events.length, effectKeys: outside.keys() },
    disk,
    run,
  };
}

/** From the last snapshot that the disk kept, which must bring what a full replay brings. */
function recover(world: World, run: RunId): RecoveredRun {
  const [short, full] = [recoverRun(world.follower, run, program), recoverRun(world.follower, run)];
  const { snapshot } = world.follower.entry(run);
  if (short.fromSnapshot !== (snapshot?.events ?? 0)) throw new Error('a snapshot is gone on from');
  const content = ({ actors, undelivered }: RecoveredRun): string =>
    canonicalJson([
      actors.filter(({ done }) => !done).toSorted((a, b) => (a.actor.id < b.actor.id ? -1 : 1)),
      undelivered,
    ]);
  if (content(short) !== content(full)) throw new Error('a snapshot and its tail are the run');
  return short;
}

/** Puts the actors of an open run on their hosts again. */
export async function resume(world: World, run: RunId): Promise<void> {
  const entry = world.follower.entry(run);
  const recovered = entry.events.length === 0 ? undefined : recover(world, run);
  snapshot(world);
  await resumeRun(entry, recovered, {
    directory: world.directory,
    room: async () => undefined,
    hosts,
    adopt: (host, message) => world.host(host).adopt(message),
    deliver: (host, envelope) => world.post(host, envelope),
  });
}

/** Appends a snapshot of each open run; the next recovery goes on from it if the disk keeps it. */
function snapshot(world: World): void {
  for (const entry of world.follower.index.open()) {
    const { body } = takeSnapshot(world.follower, entry, { program, whole: false });
    const recording = { timeMs: world.clock.nowMs(), store: world.storeOf(entry.id) };
    if (body !== null) world.append(runSnapshotRecords(entry.id, body, recording));
  }
}

/** Steps and answers in an order of chance, until nothing is left to do. */
export function playOn(world: World, outside: Outside, random: () => number): void {
  for (;;) {
    world.settle();
    if (random() < 0.3) snapshot(world);
    if (world.acts.length === 0) {
      if (!settleDoubts(world, outside)) break;
      continue;
    }
    const { durablePosition } = world;
    world.answer((operation, args, act) => {
      if (random() < 0.3) return null;
      if (!isEffect(act)) return generated('yes');
      if (act.position > durablePosition) return null; // (E1)
      outside.perform(act);
      return operation === 'file.append' ? appended(args) : written;
    });
  }
  world.flush();
}

/** A human looks at every effect that is in doubt; false when none is. */
function settleDoubts(world: World, outside: Outside): boolean {
  let settled = false;
  for (const entry of world.follower.index.open()) {
    for (const { key, status, effect } of effectLedger(world.follower, entry)) {
      if (status !== 'unknown') continue;
      if (effect !== 'once') throw new Error(`${key} may be repeated`);
      if (!outside.effects.has(key)) outside.effects.set(key, 1);
      const mail = resolution(world.follower, entry, { key, outcome: 'done' });
      const owner = world.directory.lookup(mail.run, mail.to);
      world.post(owner.state === 'owned' ? owner.host : 0, mail);
      outside.doubted += 1;
      settled = true;
    }
  }
  return settled;
}

function appended({ path, text }: JsonObject): Outcome {
  return { status: 'completed', value: { path: path ?? '', appended: String(text).length } };
}

function isEffect({ open }: OpenAct): boolean {
  return open.intention.effect !== 'pure';
}
