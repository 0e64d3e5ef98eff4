/**
 * Replay and recovery of one run, from the files of a data directory. Runs in
 * a pool thread; opens the journal read-only and nothing else (law D4).
 */
import type { Envelope } from '../actors/actor.ts';
import { sha256Bytes } from '../kernel/hash.ts';
import type { ActorId } from '../kernel/ids.ts';
import { type Divergence, type FoldedActor, foldRun, undelivered } from './fold-run.ts';
import { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';

export interface ReplayRequest {
  readonly dataDirectory: string;
  readonly run: string;
  /** This task folds the actors of one shard of `shards`; actors do not depend on each other. */
  readonly shard: number;
  readonly shards: number;
}

export interface ReplayResult {
  readonly events: number;
  readonly divergence: Divergence | null;
}

export interface RecoverRequest {
  readonly dataDirectory: string;
  readonly run: string;
}

export interface RecoverResult {
  readonly divergence: Divergence | null;
  readonly actors: readonly FoldedActor[];
  /** Messages to deliver again, in the order of each sender. */
  readonly undelivered: readonly Envelope[];
}

function withRun<Result>(
  request: { readonly dataDirectory: string; readonly run: string },
  use: (follower: JournalFollower, entry: RunEntry) => Result,
): Result {
  const follower = new JournalFollower(request.dataDirectory);
  try {
    follower.advance();
    return use(follower, follower.entry(request.run));
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
  return withRun(request, (follower, entry) => {
    const sequences = sequencesOf(
      entry,
      (actor) => shardOf(actor, request.shards) === request.shard,
    );
    const folded = foldRun(follower.records(entry, sequences), follower.blob, { keepSends: false });
    return { events: folded.events, divergence: folded.divergence };
  });
}

/** @throws RuntimeError RUN_NOT_FOUND, JOURNAL_CORRUPT, BLOB_MISSING */
export function recoverRun(request: RecoverRequest): RecoverResult {
  return withRun(request, (follower, entry) => {
    const sequences = sequencesOf(entry, () => true);
    const folded = foldRun(follower.records(entry, sequences), follower.blob, { keepSends: true });
    const { divergence, actors } = folded;
    return { divergence, actors, undelivered: divergence === null ? undelivered(folded) : [] };
  });
}
