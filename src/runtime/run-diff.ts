/**
 * Where two runs part. Actors are compared by name, each along its own events:
 * how the events of different actors interleave is chance, and says nothing.
 *
 * Invariants
 *   P1. Two events are the same when machine, sender and number, content, state
 *       hash and intentions are; times, keys and places in the stream differ
 *       between any two runs. The order of an actor's own mail counts.
 *   P2. The first parting is the first in the stream of the first run, so that
 *       no other parting there can be its cause.
 */
import { canonicalJson } from '../kernel/hash.ts';
import type { ActorId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import { diffJson, type JsonChange } from '../kernel/json-diff.ts';
import { type EventBody, eventOf } from './event-record.ts';
import type { JournalFollower } from './journal-follower.ts';
import { ReplaySession } from './replay-session.ts';
import { type RunEntry, runDamaged } from './run-index.ts';

/** Where one actor of two runs parts. */
export interface Parting {
  readonly actor: string;
  /** Its first event that differs, from 1. */
  readonly actorSequence: number;
  /** The event's place in the streams of the two runs; null where the actor has no such event. */
  readonly sequences: readonly [number | null, number | null];
}

export interface RunDiff {
  readonly runs: readonly [string, string];
  readonly equal: boolean;
  /** What differs in how they began: pipeline, definition, seed, model, documents, machines. */
  readonly began: readonly JsonChange[];
  /** What differs in how they ended; a run that has not ended has nothing there. */
  readonly ended: readonly JsonChange[];
  /** Events that the actors share from their beginnings. */
  readonly shared: number;
  readonly events: readonly [number, number];
  /** The first parting first, then in the order of the first run's stream (P2). */
  readonly partings: readonly Parting[];
  /**
   * What differs at the first parting, in the event and in the state after it;
   * null without a parting. The state is null where this program's machines do
   * not replay the runs so far, or one of them has no such event.
   */
  readonly first: {
    readonly event: readonly JsonChange[];
    readonly state: readonly JsonChange[] | null;
  } | null;
  /**
   * The first outcome that differs, and in what: where runs that began with
   * another seed or prompt, and so part at once, came to hear something else.
   */
  readonly outcome: (Parting & { readonly changes: readonly JsonChange[] }) | null;
}

/**
 * Compares two runs of one data directory.
 * @throws RuntimeError RUN_DAMAGED, JOURNAL_CORRUPT, BLOB_MISSING
 */
export function diffRuns(follower: JournalFollower, left: RunEntry, right: RunEntry): RunDiff {
  for (const entry of [left, right]) if (entry.damaged) throw runDamaged(entry);
  const partings: Parting[] = [];
  const outcomes: NonNullable<RunDiff['outcome']>[] = [];
  let shared = 0;
  for (const actor of new Set([...left.actors.keys(), ...right.actors.keys()])) {
    const pairs = pairsOf(left, right, actor);
    const at = pairs.findIndex((pair) => !isSame(follower, left, right, pair));
    shared += at === -1 ? pairs.length : at;
    const sequences = pairs[at];
    if (sequences === undefined) continue;
    partings.push({ actor, actorSequence: at + 1, sequences });
    const outcome = firstOutcome(follower, left, right, pairs.slice(at));
    if (outcome !== null) {
      const { index, ...found } = outcome;
      outcomes.push({ actor, actorSequence: at + index + 1, ...found });
    }
  }
  partings.sort(byPlace); // (P2)
  const began = diffJson(asJson(left.started), asJson(right.started));
  const ended = diffJson(asJson(left.ended?.body), asJson(right.ended?.body));
  const [first] = partings;
  return {
    runs: [left.id, right.id],
    equal: partings.length === 0 && began.length === 0 && ended.length === 0,
    began,
    ended,
    shared,
    events: [left.events.length, right.events.length],
    partings,
    first: first === undefined ? null : detail(follower, left, right, first),
    outcome: outcomes.sort(byPlace)[0] ?? null,
  };
}

/** The first of these pairs of events that are both outcomes and say different things. */
function firstOutcome(
  follower: JournalFollower,
  left: RunEntry,
  right: RunEntry,
  pairs: readonly Pair[],
): { index: number; sequences: Pair; changes: JsonChange[] } | null {
  for (const [index, sequences] of pairs.entries()) {
    const [one, other] = sequences;
    if (one === null || other === null) return null;
    const events = [bodyOf(follower, left, one)?.event, bodyOf(follower, right, other)?.event];
    if (events.some((event) => event?.type !== 'outcome')) continue;
    const changes = diffJson(asJson(events[0]), asJson(events[1]));
    if (changes.length > 0) return { index, sequences, changes };
  }
  return null;
}

type Pair = Parting['sequences'];

/** The events of an actor in both runs, side by side, as places in the streams. */
function pairsOf(left: RunEntry, right: RunEntry, actor: ActorId): Pair[] {
  const [one, other] = [left, right].map((entry) => entry.actors.get(actor)?.events ?? []);
  const length = Math.max(one?.length ?? 0, other?.length ?? 0);
  return Array.from({ length }, (_, at) => [sequenceAt(one, at), sequenceAt(other, at)]);
}

function sequenceAt(events: readonly number[] | undefined, at: number): number | null {
  const index = events?.[at];
  return index === undefined ? null : index + 1;
}

function bodyOf(follower: JournalFollower, entry: RunEntry, sequence: number): EventBody | null {
  for (const { record } of follower.records(entry, [sequence])) {
    return eventOf(record, follower.blobsOf(entry.id));
  }
  return null;
}

/** What an event says that another run can say too (P1). */
function comparable({ machine, from, number, event, hash, intentions }: EventBody): Json {
  return asJson({ machine, from, number, event, hash, intentions }) ?? null;
}

function isSame(
  follower: JournalFollower,
  left: RunEntry,
  right: RunEntry,
  [one, other]: Pair,
): boolean {
  if (one === null || other === null) return false;
  const [mine, theirs] = [bodyOf(follower, left, one), bodyOf(follower, right, other)];
  if (mine === null || theirs === null) return false;
  return canonicalJson(comparable(mine)) === canonicalJson(comparable(theirs));
}

function byPlace(one: Parting, other: Parting): number {
  return placeOf(one) - placeOf(other);
}

/** An event that the first run lacks comes after all that it has. */
function placeOf({ sequences: [one, other] }: Parting): number {
  return one ?? Number.MAX_SAFE_INTEGER / 2 + (other ?? 0);
}

function detail(
  follower: JournalFollower,
  left: RunEntry,
  right: RunEntry,
  { actor, sequences: [one, other] }: Parting,
): RunDiff['first'] {
  const eventAt = (entry: RunEntry, sequence: number | null): Json | undefined => {
    const body = sequence === null ? null : bodyOf(follower, entry, sequence);
    return asJson(body?.event);
  };
  const states = [stateAt(follower, left, actor, one), stateAt(follower, right, actor, other)];
  return {
    event: diffJson(eventAt(left, one), eventAt(right, other)),
    state: states.includes(null) ? null : diffJson(states[0] ?? null, states[1] ?? null),
  };
}

/** The state after the event by replay, or null where there is none. */
function stateAt(
  follower: JournalFollower,
  entry: RunEntry,
  actor: string,
  sequence: number | null,
): Json | null {
  if (sequence === null) return null;
  const session = new ReplaySession(follower, entry, actor);
  session.goTo(sequence);
  return session.current?.event.sequence === sequence ? session.state(actor) : null;
}

/** Bodies of records are plain JSON by law D1. */
function asJson(value: unknown): Json | undefined {
  return value as Json | undefined;
}
