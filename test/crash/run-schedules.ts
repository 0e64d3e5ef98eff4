/**
 * One run with effects, on hosts over a journal on a disk that fails, through
 * any number of crashes to its end. What happens outside is remembered here,
 * and survives every crash.
 *
 * Invariants
 *   E1. An effect is carried out only once its intention is durable.
 *   E2. No effect is carried out whose outcome is in the journal.
 *   E3. An effect that comes again has the key that it had.
 */
import type { JournalMode } from '../../src/journal/journal-writer.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import type { RunEndedBody } from '../../src/runtime/event-record.ts';
import { recoverRun } from '../../src/runtime/replay-run.ts';
import { resumeRun } from '../../src/runtime/resume-run.ts';
import { SimulatedDisk } from '../journal/simulated-disk.ts';
import { generated, type OpenAct, World, writingPipeline, written } from '../runtime/world.ts';

const hosts = 2;
const texts = ['one', 'two'];

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

  perform({ open }: OpenAct): void {
    this.effects.set(open.key, (this.effects.get(open.key) ?? 0) + 1);
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
export function uninterrupted(folder: string): {
  expected: Expected;
  disk: SimulatedDisk;
  run: RunId;
} {
  const disk = new SimulatedDisk();
  const world = openWorld(folder, disk, 'durable');
  const run = world.start(writingPipeline, texts);
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

/** Puts the actors of an open run on their hosts again. */
export async function resume(world: World, run: RunId): Promise<void> {
  const entry = world.follower.entry(run);
  const recovered = entry.events.length === 0 ? undefined : recoverRun(world.follower, run);
  await resumeRun(entry, recovered, {
    directory: world.directory,
    room: async () => undefined,
    hosts,
    adopt: (host, message) => world.host(host).adopt(message),
    deliver: (host, envelope) => world.post(host, envelope),
  });
}

/** Steps and answers in an order of chance, until nothing is left to do. */
export function playOn(world: World, outside: Outside, random: () => number): void {
  for (;;) {
    world.settle();
    if (world.acts.length === 0) break;
    const { durablePosition } = world;
    world.answer((_operation, _args, act) => {
      if (random() < 0.3) return null;
      if (!isEffect(act)) return generated('yes');
      if (act.position > durablePosition) return null; // (E1)
      outside.perform(act);
      return written;
    });
  }
  world.flush();
}

function isEffect({ open }: OpenAct): boolean {
  return open.intention.effect !== 'pure';
}
