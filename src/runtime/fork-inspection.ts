/**
 * What has to be known of a run before it is forked: that its events up to
 * there replay, what its actors wait for, and what they have done to its files.
 * Runs in a pool thread; reads the journal and nothing else.
 */
import type { Actor } from '../actors/actor.ts';
import { effectOf } from '../actors/effects.ts';
import type { FinishIntention } from '../actors/intention.ts';
import type { ActorId } from '../kernel/ids.ts';
import type { JsonObject } from '../kernel/json.ts';
import { eventOf } from './event-record.ts';
import { type Divergence, replayStep } from './fold-run.ts';
import { intentionPlace, outcomeAfter } from './fork-answers.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';

/** An intention without an outcome. */
export interface OpenThere {
  /** `actor:sequence:index` */
  readonly place: string;
  readonly actor: ActorId;
  /** `actuator.operation` */
  readonly operation: string;
}

/** A change of a file of the run's workspace. */
export interface FileChange {
  readonly operation: string;
  readonly arguments: JsonObject;
}

export interface ForkInspection {
  readonly divergence: Divergence | null;
  /** How the run ended by then, or null. */
  readonly finish: FinishIntention | null;
  readonly open: readonly OpenThere[];
  /** In their order; those in flight whose outcome is known come last. */
  readonly changes: readonly FileChange[];
}

interface Change extends FileChange {
  readonly place: string;
}

/**
 * Replays the first `at` events of the run.
 * @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING
 */
export function inspectFork(
  follower: JournalFollower,
  entry: RunEntry,
  at: number,
): ForkInspection {
  const actors = new Map<ActorId, Actor>();
  const wanted = new Map<string, Change>();
  const changes: FileChange[] = [];
  let finish: FinishIntention | null = null;
  const sequences = Array.from({ length: at }, (_, index) => index + 1);
  for (const record of follower.records(entry, sequences)) {
    const body = eventOf(record.record, follower.blobsOf(entry.id));
    const stepped = replayStep(record, body, actors.get(body.actor));
    if ('divergence' in stepped) {
      return { divergence: stepped.divergence, finish, open: [], changes };
    }
    const { effects } = stepped;
    const place = body.cause === null ? '' : intentionPlace(body.cause);
    const change = body.event.type === 'outcome' ? wanted.get(place) : undefined;
    if (change !== undefined && body.event.type === 'outcome') {
      if (body.event.outcome.status === 'completed') changes.push(change);
      wanted.delete(place);
    }
    for (const each of changesWanted(effects.acts)) wanted.set(each.place, each);
    actors.set(body.actor, effects.actor);
    finish ??= effects.finish;
  }
  for (const [place, change] of wanted) {
    const outcome = outcomeAfter(follower, entry, { place, after: at });
    if (outcome?.status === 'completed') changes.push(change);
  }
  return { divergence: null, finish, open: [...actors.values()].flatMap(openOf), changes };
}

function changesWanted(acts: readonly Actor['open'][string][]): Change[] {
  return acts.flatMap(({ key, intention }) => {
    const { actuator, operation } = intention;
    if (actuator !== 'file' || effectOf(actuator, operation) === 'pure') return [];
    const given = intention.arguments as JsonObject; // Plain JSON by law D1.
    return [{ place: intentionPlace(key), operation, arguments: given }];
  });
}

function openOf({ id, open }: Actor): OpenThere[] {
  return Object.values(open).map(({ key, intention: { actuator, operation } }) => ({
    place: intentionPlace(key),
    actor: id,
    operation: `${actuator}.${operation}`,
  }));
}
