/**
 * An actor is a fold over its journal: its machine state, the counts of what
 * it sent to and received from each peer, and its open external intentions.
 * Live stepping, recovery and replay all call `applyEvent`, so they cannot
 * disagree.
 *
 * Invariants
 *   F1. Messages between two actors are numbered from 1 without gaps, so a
 *       receiver knows a duplicate and a sender's regenerated messages carry
 *       the same numbers.
 *   F2. An external intention is open from the step that emits it until the
 *       first outcome of its tag is folded, or an amendment asks again under
 *       its tag; then it is aborted. One whose outcome is unknown stays open.
 */
import { assert } from '../kernel/assert.ts';
import { hashJson, type Sha256 } from '../kernel/hash.ts';
import {
  type ActorId,
  type ActorSequence,
  type IntentionKey,
  intentionKey,
  parseIntentionKey,
  type RunId,
} from '../kernel/ids.ts';
import { type ActorEvent, isAnswer } from './event.ts';
import type {
  AbortIntention,
  ActIntention,
  FinishIntention,
  Intention,
  MachineName,
} from './intention.ts';
import type { MachineVersion } from './machines.ts';
import {
  actorHash,
  initialState,
  type MachineState,
  type MachineStateJson,
  stateFromJson,
  stateToJson,
  step,
} from './step.ts';
import type { StepperKind } from './stepper.ts';

/** Who sent an event: an actor of the run, the world outside, or an actuator's outcome. */
export type Sender = ActorId | '@runtime' | '@actuator';

/** A message between two actors, numbered per pair (F1). */
export interface Envelope {
  readonly run: RunId;
  readonly to: ActorId;
  readonly from: Sender;
  /** Position among the messages of this pair, from 1; 0 for outcomes, which their keys order. */
  readonly number: number;
  readonly cause: IntentionKey | null;
  readonly event: ActorEvent;
  /** The machine to start, on the first message of a new actor. */
  readonly machine: MachineName | null;
  /** With it: versions of the machines of the run; without them the newest. */
  readonly machines?: readonly MachineVersion[];
}

export interface OpenIntention {
  readonly key: IntentionKey;
  readonly intention: ActIntention;
  /** Whether nobody can say what came of it; only then is it there. */
  readonly unknown?: true;
}

/** Immutable. Its fields may be made when they are asked for, so it is not to be spread. */
export interface Actor {
  readonly run: RunId;
  readonly id: ActorId;
  readonly sequence: ActorSequence;
  readonly state: MachineState;
  readonly sent: Readonly<Record<string, number>>;
  readonly received: Readonly<Record<string, number>>;
  readonly open: Readonly<Record<string, OpenIntention>>;
  /** Versions of the machines of its run, which the actors that it starts have too. */
  readonly machines: readonly MachineVersion[];
}

/** An actor as a snapshot stores it and threads exchange it. */
export interface ActorJson {
  readonly run: RunId;
  readonly id: ActorId;
  readonly sequence: number;
  readonly machine: MachineName;
  readonly state: MachineStateJson;
  readonly sent: Readonly<Record<string, number>>;
  readonly received: Readonly<Record<string, number>>;
  readonly open: Readonly<Record<string, OpenIntention>>;
  /** Absent in snapshots of older programs. */
  readonly machines?: readonly MachineVersion[];
}

/** What the journal says of an intention; recovery regenerates the rest. */
export interface IntentionDigest {
  readonly kind: Intention['kind'];
  readonly target: string;
  readonly digest: Sha256;
}

/** Everything that one event brings about. */
export interface StepEffects {
  readonly actor: Actor;
  readonly hash: Sha256;
  readonly digests: readonly IntentionDigest[];
  readonly sends: readonly Envelope[];
  readonly acts: readonly OpenIntention[];
  readonly aborts: readonly OpenIntention[];
  readonly finish: FinishIntention | null;
}

export interface NewActorOptions {
  /** Versions of the machines of the run; without them the newest. */
  readonly machines?: readonly MachineVersion[];
  readonly stepper?: StepperKind;
}

export function newActor(
  run: RunId,
  id: ActorId,
  machine: MachineName,
  { machines = [], stepper = 'compact' }: NewActorOptions = {},
): Actor {
  const sequence = 0 as ActorSequence;
  const state = initialState(machine, stepper, machines);
  return { run, id, sequence, state, sent: {}, received: {}, open: {}, machines };
}

function targetOf(intention: Intention): string {
  switch (intention.kind) {
    case 'send':
    case 'spawn':
      return intention.to;
    case 'act':
      return `${intention.actuator}.${intention.operation}`;
    case 'abort':
      return intention.tag;
    case 'finish':
      return intention.status;
  }
}

function withoutTag(open: Actor['open'], tag: string): Actor['open'] {
  const { [tag]: _closed, ...rest } = open;
  return rest;
}

function fold(
  actor: Actor,
  incoming: Pick<Envelope, 'from' | 'number' | 'event'>,
): Pick<Actor, 'received' | 'open'> {
  const { from, number, event } = incoming;
  if (isAnswer(event)) {
    const open = actor.open[event.tag];
    assert(open !== undefined, `an outcome answers an open intention: ${event.tag} (F2)`);
    if (event.type === 'outcome-unknown') {
      const doubted: OpenIntention = { ...open, unknown: true };
      return { received: actor.received, open: { ...actor.open, [event.tag]: doubted } };
    }
    return { received: actor.received, open: withoutTag(actor.open, event.tag) };
  }
  const last = actor.received[from] ?? 0;
  assert(number === last + 1, `message ${number} of ${from} follows ${last} (F1)`);
  return { received: { ...actor.received, [from]: number }, open: actor.open };
}

/**
 * The actor as the same one of another run, which continues it: what is open
 * there is open here, under keys of this run.
 */
export function branchActor(actor: Actor, run: RunId): Actor {
  const open = Object.entries(actor.open).map(([tag, { key, intention }]) => {
    const here = intentionKey({ ...parseIntentionKey(key), run });
    // What is unknown of the other run's effect is asked of this one's again.
    return [tag, { key: here, intention }] as const;
  });
  const { id, sequence, state, sent, received, machines } = actor;
  return { run, id, sequence, state, sent, received, open: Object.fromEntries(open), machines };
}

/**
 * Folds one event into an actor.
 * @param at Time of the record, milliseconds since the epoch.
 * @throws AssertionError when the event breaks F1 or F2.
 */
export function applyEvent(
  actor: Actor,
  incoming: Pick<Envelope, 'from' | 'number' | 'event'>,
  at: number,
): StepEffects {
  const { run, id, machines } = actor;
  const folded = fold(actor, incoming);
  const { state, intentions } = step(actor.state, { ...incoming.event, at });
  const sequence = (actor.sequence + 1) as ActorSequence;
  const sent: Record<string, number> = { ...actor.sent };
  let open = folded.open;
  const sends: Envelope[] = [];
  const acts: OpenIntention[] = [];
  const aborts: OpenIntention[] = [];
  let finish: FinishIntention | null = null;

  const abort = (intention: AbortIntention): void => {
    const target = open[intention.tag];
    if (target !== undefined) aborts.push(target);
  };

  intentions.forEach((intention, index) => {
    const key = intentionKey({ run: actor.run, actor: actor.id, sequence, index });
    switch (intention.kind) {
      case 'send':
      case 'spawn': {
        const number = (sent[intention.to] ?? 0) + 1;
        sent[intention.to] = number;
        sends.push({
          run: actor.run,
          to: intention.to,
          from: actor.id,
          number,
          cause: key,
          event: intention.event,
          machine: intention.kind === 'spawn' ? intention.machine : null,
          ...(intention.kind === 'spawn' ? { machines: actor.machines } : {}),
        });
        break;
      }
      case 'act':
        if (Object.hasOwn(open, intention.tag)) {
          assert(incoming.event.type === 'amend', `the tag ${intention.tag} is free (F2)`);
          abort({ kind: 'abort', tag: intention.tag });
        }
        open = { ...open, [intention.tag]: { key, intention } };
        acts.push({ key, intention });
        break;
      case 'abort':
        abort(intention);
        break;
      case 'finish':
        finish = intention;
        break;
    }
  });

  const digests = intentions.map((intention) => ({
    kind: intention.kind,
    target: targetOf(intention),
    digest: hashJson(intention),
  }));
  return {
    actor: { run, id, sequence, state, sent, received: folded.received, open, machines },
    hash: actorHash(state),
    digests,
    sends,
    acts,
    aborts,
    finish,
  };
}

export function actorToJson(actor: Actor): ActorJson {
  const { run, id, sequence, state, sent, received, open, machines } = actor;
  return {
    run,
    id,
    sequence,
    machine: state.machine,
    state: stateToJson(state),
    sent,
    received,
    open,
    machines,
  };
}

/** @param machines Versions of the machines of its run, where the snapshot does not name them. */
export function actorFromJson(
  json: ActorJson,
  machines: readonly MachineVersion[] = json.machines ?? [],
): Actor {
  const { run, id, sent, received, open } = json;
  const state = stateFromJson(json.machine, json.state, 'compact', machines);
  const sequence = json.sequence as ActorSequence;
  return { run, id, sequence, state, sent, received, open, machines };
}
