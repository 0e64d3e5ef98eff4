/**
 * Replay of a run, and recovery of the open ones, from the files of a data
 * directory. Runs in a pool thread; reads the journal and its blobs and nothing
 * else (law D4).
 */
import type { Envelope } from '../actors/actor.ts';
import type { StepperKind } from '../actors/stepper.ts';
import { hashJson, type Sha256, sha256Bytes } from '../kernel/hash.ts';
import type { ActorId } from '../kernel/ids.ts';
import {
  type Divergence,
  type FoldedActor,
  type FoldedRun,
  type FoldStart,
  foldRun,
  undelivered,
} from './fold-run.ts';
import { answersOf } from './fork-answers.ts';
import { type ForkInspection, inspectFork } from './fork-inspection.ts';
import { forkPoints, originOf } from './fork-point.ts';
import { JournalFollower } from './journal-follower.ts';
import { outsideKey } from './message-exchange.ts';
import { rootStart } from './prepare-run.ts';
import { rootActor } from './root-actor.ts';
import type { RunEntry } from './run-index.ts';
import { startFromSnapshot } from './run-snapshot.ts';
import type { OutcomeMessage } from './topics.ts';

export interface ReplayRequest {
  readonly dataDirectory: string;
  readonly run: string;
  /** This task folds the actors of one shard of `shards`; actors do not depend on each other. */
  readonly shard: number;
  readonly shards: number;
  readonly stepper?: StepperKind;
}

export type ReplayResult = Pick<
  FoldedRun,
  'events' | 'divergence' | 'finish' | 'sent' | 'received'
>;

/** A run after so many of its events. */
export interface ForkPlace {
  readonly dataDirectory: string;
  readonly run: string;
  readonly at: number;
}

export interface RecoverRequest {
  readonly dataDirectory: string;
  readonly runs: readonly string[];
  /** Digest of the program, whose snapshots are used; without it none is. */
  readonly program?: Sha256;
  /** Runs whose snapshots are not trusted. */
  readonly whole?: readonly string[];
}

export interface RecoveredRun {
  readonly run: string;
  readonly divergence: Divergence | null;
  /** How many of its events a snapshot stood for. */
  readonly fromSnapshot: number;
  /** Why the snapshot that it has was not used, or null. */
  readonly snapshotRefusal: string | null;
  readonly actors: readonly FoldedActor[];
  /** Messages to deliver again, in the order of each sender. */
  readonly undelivered: readonly Envelope[];
  /** Of a fork: what is known of intentions that were open where it began. */
  readonly answers: readonly OutcomeMessage[];
  /** Why the run cannot be read, or null. */
  readonly problem: string | null;
}

const nothing = {
  divergence: null,
  fromSnapshot: 0,
  snapshotRefusal: null,
  actors: [],
  undelivered: [],
  answers: [],
  problem: null,
};

function withJournal<Result>(
  dataDirectory: string,
  use: (follower: JournalFollower) => Result,
): Result {
  const follower = new JournalFollower(dataDirectory, { verifyDigests: true });
  try {
    follower.advance();
    return use(follower);
  } finally {
    follower.close();
  }
}

function shardOf(actor: ActorId, shards: number): number {
  return sha256Bytes(actor).readUInt32LE(0) % shards;
}

function sequencesOf(entry: RunEntry, belongs: (actor: ActorId) => boolean): number[] {
  const sequences: number[] = [];
  for (const [actor, { events }] of entry.actors) {
    if (belongs(actor)) for (const index of events) sequences.push(index + 1);
  }
  return sequences.sort((left, right) => left - right);
}

/** @throws RuntimeError RUN_NOT_FOUND, JOURNAL_CORRUPT, BLOB_MISSING */
export function replayShard(request: ReplayRequest): ReplayResult {
  return withJournal(request.dataDirectory, (follower) => {
    const entry = follower.entry(request.run);
    const belongs = (actor: ActorId) => shardOf(actor, request.shards) === request.shard;
    const records = follower.records(entry, sequencesOf(entry, belongs));
    const folded = foldRun(records, follower.blobsOf(entry.id), {
      keepSends: false,
      stepper: request.stepper ?? 'compact',
      points: forkPoints(entry, follower.index),
    });
    const { events, divergence, finish, received } = folded;
    // The start came from outside, as the first record of the run said.
    const { event } = rootStart(entry.id, originOf(entry, follower.index).started);
    const sent = new Map([...folded.sent, [outsideKey(rootActor, 1), hashJson(event)] as const]);
    return { events, divergence, finish, sent, received };
  });
}

/** @throws RuntimeError RUN_NOT_FOUND, JOURNAL_CORRUPT, BLOB_MISSING */
export function inspectForkPlace({ dataDirectory, run, at }: ForkPlace): ForkInspection {
  return withJournal(dataDirectory, (follower) => inspectFork(follower, follower.entry(run), at));
}

/** A run as far as the journal goes, and where its fold began. */
export interface RecoveryFold {
  readonly folded: FoldedRun;
  readonly fromSnapshot: number;
  readonly snapshotRefusal: string | null;
}

/** Folds the events of the run from a start, null for its beginning, up to `to` of them. */
export function foldRange(
  follower: JournalFollower,
  entry: RunEntry,
  { from, to }: { readonly from: FoldStart | null; readonly to: number },
): FoldedRun {
  const behind = from?.events ?? 0;
  const count = to - behind;
  const records = follower.records(
    entry,
    Array.from({ length: count }, (_, index) => behind + index + 1),
  );
  const points = forkPoints(entry, follower.index);
  const options = { keepSends: true, points, ...(from === null ? {} : { from }) };
  return foldRun(records, follower.blobsOf(entry.id), options);
}

/**
 * Folds the run to its last event: from its snapshot if that can be trusted and
 * what follows continues it, else from the first event.
 * @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING
 */
export function foldForRecovery(
  follower: JournalFollower,
  entry: RunEntry,
  program: Sha256 | undefined,
): RecoveryFold {
  const from = program === undefined ? null : startFromSnapshot(follower, entry, program);
  let snapshotRefusal: string | null = null;
  const to = entry.events.length;
  if (from !== null && 'refusal' in from) snapshotRefusal = from.refusal;
  else if (from !== null) {
    const folded = foldRange(follower, entry, { from, to });
    if (folded.divergence === null)
      return { folded, fromSnapshot: from.events, snapshotRefusal: null };
    snapshotRefusal = `event ${folded.divergence.sequence} does not continue it`;
  }
  return {
    folded: foldRange(follower, entry, { from: null, to }),
    fromSnapshot: 0,
    snapshotRefusal,
  };
}

/**
 * Folds one open run for its recovery; what is wrong with it is in the result.
 * @param program Digest of the program, whose snapshots are used; without it none is.
 */
export function recoverRun(follower: JournalFollower, run: string, program?: Sha256): RecoveredRun {
  try {
    const entry = follower.entry(run);
    const { folded, fromSnapshot, snapshotRefusal } = foldForRecovery(follower, entry, program);
    const { divergence, actors } = folded;
    if (divergence !== null) return { ...nothing, run, divergence, snapshotRefusal };
    const { machines } = entry.started;
    return {
      run,
      divergence,
      fromSnapshot,
      snapshotRefusal,
      actors: actors.map((each) => ({ ...each, actor: { ...each.actor, machines } })),
      undelivered: undelivered(folded).map((envelope) => ({
        ...envelope,
        run: entry.id,
        ...(envelope.machine === null ? {} : { machines }),
      })),
      answers: answersOf(follower, entry, actors),
      problem: null,
    };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { ...nothing, run, problem };
  }
}

/**
 * Replays open runs for their recovery, all in one reading of the journal. What
 * is wrong with one run is in its own result.
 * @throws RuntimeError JOURNAL_CORRUPT
 */
export function recoverRuns(request: RecoverRequest): readonly RecoveredRun[] {
  return withJournal(request.dataDirectory, (follower) =>
    request.runs.map((run) => {
      const isWhole = request.whole?.includes(run) === true;
      return recoverRun(follower, run, isWhole ? undefined : request.program);
    }),
  );
}
