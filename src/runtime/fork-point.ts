/**
 * Where a run stops being its parent: the actors go on under its own id, and
 * each is told of another definition, if there is one.
 *
 * Invariants
 *   B1. What the runtime tells an actor is numbered like any other mail, so a
 *       recovery sends it again and the actor drops what it had.
 *   B2. An actor whose first message is still on its way is told as well, after it.
 */
import { type Actor, branchActor, type Envelope } from '../actors/actor.ts';
import { isDone } from '../actors/step.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { rootActor } from './root-actor.ts';
import { countsOf, type RunEntry, type RunIndex } from './run-index.ts';

export interface ForkPoint {
  /** Events before it. */
  readonly at: number;
  /** The run that begins here. */
  readonly run: RunId;
  /** Definition that holds from here on; null where it stays as it is. */
  readonly definition: string | null;
}

/**
 * The forks that a run has gone through, from the oldest one on: none, or its
 * own and those of its parents that lie before it.
 */
export function forkPoints(entry: RunEntry, index: Pick<RunIndex, 'get'>): ForkPoint[] {
  const { parent, definition } = entry.started;
  if (parent === undefined) return [];
  const from = index.get(parent.run);
  const before = from === undefined ? [] : forkPoints(from, index);
  return [
    ...before.filter(({ at }) => at < parent.at),
    { at: parent.at, run: entry.id, definition: parent.amended ? definition : null },
  ];
}

/** The run and those that it is a fork of, the latest first. */
export function lineage(entry: RunEntry, index: Pick<RunIndex, 'get'>): RunId[] {
  const { parent } = entry.started;
  const from = parent === undefined ? undefined : index.get(parent.run);
  return from === undefined ? [entry.id] : [entry.id, ...lineage(from, index)];
}

/** The run that a fork, and the run that this is a fork of, began as. */
export function originOf(entry: RunEntry, index: Pick<RunIndex, 'get'>): RunEntry {
  const { parent } = entry.started;
  const from = parent === undefined ? undefined : index.get(parent.run);
  return from === undefined ? entry : originOf(from, index);
}

/** Messages that the first actor of the run was sent from outside, received or not. */
export function outsideMessages(entry: RunEntry, index: Pick<RunIndex, 'get'>): number {
  let sent = 1;
  for (const { at, definition } of forkPoints(entry, index)) {
    const received = entry.events[at - 1]?.counts.outsideMessages ?? 0;
    sent = Math.max(sent, received) + (definition === null ? 0 : 1);
  }
  return Math.max(sent, countsOf(entry).outsideMessages);
}

/** What the actors of a fold were told from outside, and who there is to tell. */
export class Amendments {
  readonly #told = new Map<ActorId, number>([[rootActor, 1]]);
  readonly #spawned = new Set<ActorId>();

  /** Hears of actors that a step began. */
  see(sends: readonly Envelope[]): void {
    for (const { to, machine } of sends) if (machine !== null) this.#spawned.add(to);
  }

  /**
   * What the actors are told at the point (B1, B2).
   * @param known Actors that have had an event.
   */
  at(point: ForkPoint, known: ReadonlyMap<ActorId, Actor>): Envelope[] {
    const { run, definition } = point;
    if (definition === null) return [];
    const live = [...known.values()].filter(({ state }) => !isDone(state)).map(({ id }) => id);
    const unborn = [...this.#spawned].filter((id) => !known.has(id));
    return [...live, ...unborn].map((to) => {
      const received = known.get(to)?.received['@runtime'] ?? 0;
      const number = Math.max(received, this.#told.get(to) ?? 0) + 1;
      this.#told.set(to, number);
      const event = { type: 'amend', definition } as const;
      return { run, to, from: '@runtime', number, cause: null, event, machine: null };
    });
  }
}

/** The actor as the run's own. */
export function inRun(actor: Actor, run: RunId): Actor {
  return actor.run === run ? actor : branchActor(actor, run);
}
