/**
 * Replays a run from its records: no model, tool, clock or socket, only the
 * machines. It serves `claw replay`, and the recovery of open runs.
 *
 * Invariants
 *   R1. Nothing but the records enters the fold.
 *   R2. The first difference ends the fold and is reported with what was
 *       expected and what was found.
 */
import {
  type Actor,
  type ActorJson,
  actorFromJson,
  actorToJson,
  applyEvent,
  type Envelope,
  newActor,
  type StepEffects,
} from '../actors/actor.ts';
import { isAnswer } from '../actors/event.ts';
import type { FinishIntention } from '../actors/intention.ts';
import { hasMachine, isMachineName, newestVersion } from '../actors/machines.ts';
import { isDone } from '../actors/step.ts';
import type { StepperKind } from '../actors/stepper.ts';
import type { StoredRecord } from '../journal/record.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { ActorId, IntentionKey, RunId } from '../kernel/ids.ts';
import { sameJson } from '../kernel/same-json.ts';
import { cachedTexts } from './blob-cache.ts';
import { type BlobLookup, contextOf, type EventBody, eventOf } from './event-record.ts';
import { Amendments, type ForkPoint, inRun } from './fork-point.ts';
import { MessageExchange, type ReceivedMessage } from './message-exchange.ts';
import { type StateDifference, stateDifference } from './state-difference.ts';

/** Where a replay found something else than the journal says. */
export interface Divergence {
  /** Position of the event in the run's stream, from 1. */
  readonly sequence: number;
  readonly actor: string;
  readonly actorSequence: number;
  readonly event: unknown;
  /** What the journal says. */
  readonly expected: string;
  /** What the replay found. */
  readonly actual: string;
  /** One sentence. */
  readonly difference: string;
  /** Where the state is another. */
  readonly state?: StateDifference;
}

export interface FoldedActor {
  readonly actor: ActorJson;
  readonly done: boolean;
  readonly epoch: number;
  /** Digest of its last event record, hexadecimal. */
  readonly digest: string;
  /** Whether that event is one of the parent's, so that its chain here has still to begin. */
  readonly begins: boolean;
}

export interface FoldedRun {
  readonly events: number;
  readonly divergence: Divergence | null;
  /** How the run ended, if one of these actors ended it. */
  readonly finish: FinishIntention | null;
  /** Digest of every message that these actors sent and none of them received, by its key. */
  readonly sent: ReadonlyMap<IntentionKey, Sha256>;
  /** What they received, but for what one of them sent just so. */
  readonly received: readonly ReceivedMessage[];
  readonly actors: readonly FoldedActor[];
  /** Actors that are done, those before the start of the fold included. */
  readonly done: ReadonlySet<ActorId>;
  /** Every message that an actor sent, whether or not it was received. */
  readonly sends: readonly Envelope[];
}

interface Progress {
  readonly epoch: number;
  readonly digest: string;
  /** Run of its last event. */
  readonly run: string | null;
}

/** One event of the run with its place in the stream. */
export interface StreamRecord {
  readonly sequence: number;
  readonly record: StoredRecord;
}

function diverged(
  entry: StreamRecord,
  body: EventBody,
  found: Pick<Divergence, 'expected' | 'actual' | 'difference' | 'state'>,
): Divergence {
  return {
    sequence: entry.sequence,
    actor: body.actor,
    actorSequence: entry.record.actorSequence,
    event: body.event,
    ...found,
  };
}

/** The first thing in which a replayed step differs from its record, or null. */
function compare(
  entry: StreamRecord,
  body: EventBody,
  before: Actor,
  effects: ReturnType<typeof applyEvent>,
): Divergence | null {
  if (effects.actor.sequence !== entry.record.actorSequence) {
    const expected = String(entry.record.actorSequence);
    const actual = String(effects.actor.sequence);
    return diverged(entry, body, {
      expected,
      actual,
      difference: 'The event has another place in its actor.',
    });
  }
  if (effects.hash !== body.hash) {
    return diverged(entry, body, {
      expected: body.hash,
      actual: effects.hash,
      difference: 'The state is another.',
      state: stateDifference(before, effects.actor, body.hash),
    });
  }
  if (!sameJson(effects.digests, body.intentions)) {
    const expected = JSON.stringify(body.intentions);
    const actual = JSON.stringify(effects.digests);
    return diverged(entry, body, { expected, actual, difference: 'The intentions are others.' });
  }
  const context = contextOf(effects)?.text ?? '';
  if (context !== (body.context?.node ?? '')) {
    const expected = body.context?.node ?? '';
    return diverged(entry, body, {
      expected,
      actual: context,
      difference: 'The context is another.',
    });
  }
  return null;
}

function machineOf(
  entry: StreamRecord,
  body: EventBody,
  stepper: StepperKind,
): Divergence | ReturnType<typeof newActor> {
  const [name = ''] = body.machine.split('@');
  if (!isMachineName(name) || !hasMachine(body.machine)) {
    const actual = isMachineName(name) ? newestVersion(name) : 'no such machine';
    return diverged(entry, body, {
      expected: body.machine,
      actual,
      difference: `This program no longer has the machine ${body.machine}.`,
    });
  }
  const options = { machines: [body.machine], stepper };
  return newActor(entry.record.run as RunId, body.actor, name, options);
}

/** An outcome answers the intention that its actor has open under that tag, and no other. */
function answersOpen(actor: Actor, { event, cause }: EventBody): boolean {
  return !isAnswer(event) || actor.open[event.tag]?.key === cause;
}

type Stepped = { readonly effects: StepEffects } | { readonly divergence: Divergence };

/** Applies one recorded event and compares what comes of it (R2). */
export function replayStep(
  entry: StreamRecord,
  body: EventBody,
  known: Actor | undefined,
  stepper: StepperKind = 'compact',
): Stepped {
  // The first event of a fork finds the actor of its parent.
  const actor =
    known === undefined ? machineOf(entry, body, stepper) : inRun(known, entry.record.run as RunId);
  if ('difference' in actor) return { divergence: actor };
  const cannot = (actual: string): Stepped => ({
    divergence: diverged(entry, body, {
      expected: body.hash,
      actual,
      difference: 'The event cannot be applied.',
    }),
  });
  if (!answersOpen(actor, body)) return cannot('the intention that it answers is not open');
  try {
    const effects = applyEvent(actor, body, entry.record.timeMs);
    const divergence = compare(entry, body, actor, effects);
    return divergence === null ? { effects } : { divergence };
  } catch (error) {
    return cannot(error instanceof Error ? error.message : String(error));
  }
}

export interface FoldOptions {
  /** Collect the messages as well, for recovery. */
  readonly keepSends: boolean;
  /** Where the run and its parents are forks, in order. */
  readonly points?: readonly ForkPoint[];
  /** What steps the machines; both kinds return the same. */
  readonly stepper?: StepperKind;
  /** Where the fold goes on from, in place of the beginning; its records are then those behind. */
  readonly from?: FoldStart;
}

/** A run after some of its events: all that the rest of the fold needs. */
export interface FoldStart {
  /** Events before it. */
  readonly events: number;
  /** Actors that are not done. */
  readonly actors: readonly FoldedActor[];
  /** Actors that are done. */
  readonly done: ReadonlySet<ActorId>;
  /** Messages that were sent and not received, in order of each sender. */
  readonly sends: readonly Envelope[];
}

/** The first event of a fork names the event of the parent that it goes on from. */
function brokenChain(
  entry: StreamRecord,
  body: EventBody,
  last: Progress | undefined,
): Divergence | null {
  const { run, previousDigest } = entry.record;
  if (last === undefined || last.run === run) return null;
  const actual = previousDigest?.toString('hex') ?? 'none';
  if (actual === last.digest) return null;
  const difference = 'The event does not go on from that of the parent.';
  return diverged(entry, body, { expected: last.digest, actual, difference });
}

/**
 * Folds the events of a run, or of some of its actors, in stream order.
 */
export function foldRun(
  entries: Iterable<StreamRecord>,
  blobs: BlobLookup,
  { keepSends, points = [], stepper = 'compact', from }: FoldOptions,
): FoldedRun {
  const lookup = cachedTexts(blobs);
  const actors = new Map<ActorId, Actor>();
  const progress = new Map<ActorId, Progress>();
  const amendments = new Amendments();
  const ahead = points.filter(({ at }) => from === undefined || at > from.events);
  const sends: Envelope[] = [...(from?.sends ?? [])];
  for (const { actor, epoch, digest, begins } of from?.actors ?? []) {
    actors.set(actor.id, actorFromJson(actor));
    progress.set(actor.id, { epoch, digest, run: begins ? null : actor.run });
  }
  const messages = new MessageExchange();
  let events = 0;
  let finish: FinishIntention | null = null;
  let divergence: Divergence | null = null;

  const branch = (point: ForkPoint): void => {
    const told = amendments.at(point, actors);
    for (const [id, actor] of actors) actors.set(id, inRun(actor, point.run));
    for (const { to, number, event } of told) messages.sendFromOutside(to, number, event);
    if (keepSends) sends.push(...told);
  };

  const passPoints = (sequence: number): void => {
    while (ahead[0] !== undefined && ahead[0].at < sequence) branch(ahead.shift() as ForkPoint);
  };

  for (const entry of entries) {
    passPoints(entry.sequence);
    const body = eventOf(entry.record, lookup);
    const stepped = replayStep(entry, body, actors.get(body.actor), stepper);
    const broken = brokenChain(entry, body, progress.get(body.actor));
    if ('divergence' in stepped || broken !== null) {
      divergence = 'divergence' in stepped ? stepped.divergence : broken;
      break;
    }
    const { effects } = stepped;
    events += 1;
    finish ??= effects.finish;
    const { epoch, digest, run } = entry.record;
    actors.set(body.actor, effects.actor);
    progress.set(body.actor, { epoch, digest: digest.toString('hex'), run });
    amendments.see(effects.sends);
    messages.send(effects.sends);
    const { actorSequence } = entry.record;
    messages.receive(body, { sequence: entry.sequence, actorSequence });
    if (keepSends) sends.push(...effects.sends);
  }
  if (divergence === null) passPoints(Number.POSITIVE_INFINITY);
  const folded = [...actors.values()].map((actor) => ({
    actor: actorToJson(actor),
    done: isDone(actor.state),
    epoch: progress.get(actor.id)?.epoch ?? 0,
    digest: progress.get(actor.id)?.digest ?? '',
    begins: progress.get(actor.id)?.run !== actor.run,
  }));
  const ended = new Set(from?.done ?? []);
  for (const { done, actor } of folded) if (done) ended.add(actor.id);
  const { received } = messages;
  const sent = messages.sent();
  return { events, divergence, finish, sent, received, actors: folded, done: ended, sends };
}

/** Messages that were sent but not received before the end of the records, in order of each sender. */
export function undelivered(
  folded: Pick<FoldedRun, 'actors' | 'done' | 'sends'>,
): readonly Envelope[] {
  const known = new Map(folded.actors.map((entry) => [entry.actor.id, entry]));
  return folded.sends.filter((envelope) => {
    if (folded.done.has(envelope.to)) return false;
    const receiver = known.get(envelope.to);
    if (receiver === undefined) return true;
    return envelope.number > (receiver.actor.received[envelope.from] ?? 0);
  });
}
