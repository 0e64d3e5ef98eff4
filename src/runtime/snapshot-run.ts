/**
 * Takes a snapshot of a run, and proves one that was taken. Runs in a pool
 * thread; reads the journal and its blobs and nothing else.
 */
import { canonicalJson, type Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { type RunSnapshotBody, runSnapshotOf } from './event-record.ts';
import type { Divergence, FoldedRun } from './fold-run.ts';
import type { JournalFollower } from './journal-follower.ts';
import { foldForRecovery, foldRange } from './replay-run.ts';
import { type RunEntry, stateHashOf } from './run-index.ts';
import { runSnapshotBody, startFromSnapshot } from './run-snapshot.ts';

export interface SnapshotRequest {
  readonly dataDirectory: string;
  readonly run: RunId;
  /** Digest of the program. */
  readonly program: Sha256;
  /** Whether the last snapshot of the run is not to be gone on from. */
  readonly whole: boolean;
}

export interface TakenSnapshot {
  /** Null where the run diverges, has ended, or has nothing that the last snapshot has not. */
  readonly body: RunSnapshotBody | null;
  readonly divergence: Divergence | null;
  /** Why the last snapshot was not gone on from, or null. */
  readonly snapshotRefusal: string | null;
}

/** Whether a snapshot and the events behind it make the run that all its events make. */
export interface SnapshotAudit {
  readonly run: RunId;
  /** Events in the snapshot. */
  readonly at: number;
  /** Events of the run. */
  readonly events: number;
  readonly equal: boolean;
  /** What is another, or null. */
  readonly difference: string | null;
}

/** @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING */
export function takeSnapshot(
  follower: JournalFollower,
  entry: RunEntry,
  { program, whole }: Pick<SnapshotRequest, 'program' | 'whole'>,
): TakenSnapshot {
  const events = entry.events.length;
  const isWritten = !whole && entry.snapshot?.events === events;
  if (events === 0 || entry.ended !== null || isWritten)
    return { body: null, divergence: null, snapshotRefusal: null };
  const known = whole ? undefined : program;
  const { folded, snapshotRefusal } = foldForRecovery(follower, entry, known);
  const { divergence } = folded;
  if (divergence !== null) return { body: null, divergence, snapshotRefusal };
  const claim = { events, stateHash: stateHashOf(entry), program };
  return { body: runSnapshotBody(entry.id, folded, claim), divergence, snapshotRefusal };
}

/**
 * Compares the last snapshot of the run with a full replay: as it was taken, and
 * continued to the last event. Null where it has none that this program took.
 * @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING
 */
export function auditSnapshot(
  follower: JournalFollower,
  entry: RunEntry,
  program: Sha256,
): SnapshotAudit | null {
  const { snapshot } = entry;
  if (snapshot === null || snapshot.program !== program) return null;
  const events = entry.events.length;
  const verdict = (difference: string | null): SnapshotAudit => ({
    run: entry.id,
    at: snapshot.events,
    events,
    equal: difference === null,
    difference,
  });
  const from = startFromSnapshot(follower, entry, program);
  if (from === null) return null;
  if ('refusal' in from) return verdict(from.refusal);
  const bodyOf = (folded: FoldedRun): RunSnapshotBody =>
    runSnapshotBody(entry.id, folded, { ...snapshot, program });
  const taken = runSnapshotOf(follower.read(snapshot.position), follower.blobsOf(entry.id));
  const there = foldRange(follower, entry, { from: null, to: snapshot.events });
  if (there.divergence !== null) return verdict(`the replay diverges at ${there.events + 1}`);
  const differs = difference(taken, bodyOf(there));
  if (differs !== null) return verdict(`as taken: ${differs}`);
  const continued = foldRange(follower, entry, { from, to: events });
  if (continued.divergence !== null)
    return verdict(`event ${continued.divergence.sequence} does not continue it`);
  const full = foldRange(follower, entry, { from: null, to: events });
  if (full.divergence !== null) return verdict(`the replay diverges at ${full.events + 1}`);
  const later = difference(bodyOf(continued), bodyOf(full));
  return verdict(later === null ? null : `continued: ${later}`);
}

/** In which part two bodies differ, or null. */
function difference(found: RunSnapshotBody, expected: RunSnapshotBody): string | null {
  if (canonicalJson(found) === canonicalJson(expected)) return null;
  const actors = new Map(expected.actors.map((each) => [each.id, each]));
  for (const each of found.actors) {
    if (canonicalJson(each) !== canonicalJson(actors.get(each.id) ?? null))
      return `the actor ${each.id} is another`;
  }
  if (found.actors.length !== expected.actors.length) return 'an actor is missing';
  if (canonicalJson(found.sends) !== canonicalJson(expected.sends))
    return 'the messages on their way are others';
  return 'its texts are others';
}
