/**
 * A run that is replayed step by step, forward and backward, to look at it: the
 * same fold as a replay, which keeps what each step made of its actor.
 *
 * Invariants
 *   S1. Nothing but the records enters; a step that diverges is not taken.
 *   S2. Actors never change, so a step back is the actor as it was.
 */
import { type Actor, actorToJson } from '../actors/actor.ts';
import { isDone } from '../actors/step.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { ActorId } from '../kernel/ids.ts';
import type { Json, JsonObject } from '../kernel/json.ts';
import { diffJson, type JsonChange } from '../kernel/json-diff.ts';
import { eventOf } from './event-record.ts';
import { type Divergence, replayStep } from './fold-run.ts';
import type { JournalFollower } from './journal-follower.ts';
import { type RunEntry, runDamaged } from './run-index.ts';
import type { EventView } from './views.ts';

/** One event and what it made of its actor. */
export interface ReplayedStep {
  readonly event: EventView;
  /** State after it, as JSON of value, context and status. */
  readonly state: JsonObject;
  /** What it changed of the state. */
  readonly changes: readonly JsonChange[];
}

/** An actor at some moment of its run. */
export interface ReplayedActor {
  readonly actor: ActorId;
  readonly machine: string;
  /** Events that it has had. */
  readonly events: number;
  readonly value: Json;
  readonly done: boolean;
  /** Operations that it waits for, by tag. */
  readonly open: Readonly<Record<string, string>>;
}

interface Taken {
  readonly step: ReplayedStep;
  readonly before: Actor | undefined;
  readonly after: Actor;
}

function stateOf(actor: Actor | undefined): JsonObject | undefined {
  return actor === undefined ? undefined : (actorToJson(actor).state as unknown as JsonObject); // Plain JSON by law D1.
}

export class ReplaySession {
  readonly #follower: JournalFollower;
  readonly #entry: RunEntry;
  /** Sequences of the events that are looked at. */
  readonly #sequences: readonly number[];
  readonly #taken: Taken[] = [];
  readonly #actors = new Map<ActorId, Actor>();
  /** Steps taken and not taken back. */
  #position = 0;
  #divergence: Divergence | null = null;

  /**
   * @param actor Looks at this actor alone.
   * @throws RuntimeError RUN_DAMAGED, ACTOR_NOT_FOUND
   */
  constructor(follower: JournalFollower, entry: RunEntry, actor?: string) {
    if (entry.damaged) throw runDamaged(entry);
    this.#follower = follower;
    this.#entry = entry;
    this.#sequences = sequencesOf(entry, actor);
  }

  /** Events that can be looked at. */
  get length(): number {
    return this.#sequences.length;
  }

  /** Steps behind the session. */
  get position(): number {
    return this.#position;
  }

  /** Why the next step cannot be taken, or null. */
  get divergence(): Divergence | null {
    return this.#divergence;
  }

  /** The step that led here, or null at the beginning. */
  get current(): ReplayedStep | null {
    return this.#taken[this.#position - 1]?.step ?? null;
  }

  /**
   * Takes the next step; null at the end and at a divergence.
   * @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING
   */
  forward(): ReplayedStep | null {
    const known = this.#taken[this.#position] ?? this.#take();
    if (known === null) return null;
    this.#actors.set(known.after.id, known.after);
    this.#position += 1;
    return known.step;
  }

  /** Takes the last step back; false at the beginning. */
  back(): boolean {
    const last = this.#taken[this.#position - 1];
    if (last === undefined) return false;
    if (last.before === undefined) this.#actors.delete(last.after.id);
    else this.#actors.set(last.before.id, last.before);
    this.#position -= 1;
    return true;
  }

  /** Goes to where the events up to `sequence` of the run have happened, as far as it gets. */
  goTo(sequence: number): void {
    while ((this.current?.event.sequence ?? 0) > sequence) this.back();
    while ((this.#sequences[this.#position] ?? Number.POSITIVE_INFINITY) <= sequence) {
      if (this.forward() === null) return;
    }
  }

  /** Every actor that exists here, in the order in which they began. */
  actors(): ReplayedActor[] {
    return [...this.#actors.values()].map((actor) => {
      const { state, open } = actorToJson(actor);
      return {
        actor: actor.id,
        machine: actor.state.version,
        events: actor.sequence,
        value: state.value,
        done: isDone(actor.state),
        open: Object.fromEntries(
          Object.entries(open).map(([tag, { intention }]) => [
            tag,
            `${intention.actuator}.${intention.operation}`,
          ]),
        ),
      };
    });
  }

  /** State of an actor here: value, context and status; null when it does not exist here. */
  state(actor: string): JsonObject | null {
    return stateOf(this.#actors.get(actor as ActorId)) ?? null;
  }

  #take(): Taken | null {
    const sequence = this.#sequences[this.#position];
    if (sequence === undefined || this.#divergence !== null) return null;
    const event = this.#follower.event(this.#entry, sequence);
    for (const entry of this.#follower.records(this.#entry, [sequence])) {
      const body = eventOf(entry.record, this.#follower.blobsOf(this.#entry.id));
      const before = this.#actors.get(body.actor);
      const stepped = replayStep(entry, body, before);
      if ('divergence' in stepped) {
        this.#divergence = stepped.divergence; // (S1)
        return null;
      }
      const after = stepped.effects.actor;
      const state = stateOf(after) ?? {};
      const step = { event, state, changes: diffJson(stateOf(before), state) };
      this.#taken.push({ step, before, after });
    }
    return this.#taken[this.#position] ?? null;
  }
}

function sequencesOf(entry: RunEntry, actor: string | undefined): number[] {
  if (actor === undefined) return entry.events.map((_, index) => index + 1);
  const known = entry.actors.get(actor as ActorId);
  if (known === undefined || known.events.length === 0) {
    throw new RuntimeError(
      'ACTOR_NOT_FOUND',
      `The run ${entry.id} has no actor ${actor}; claw events names its actors.`,
    );
  }
  return known.events.map((index) => index + 1);
}
