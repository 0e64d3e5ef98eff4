/**
 * Erases runs: a record says so, then their keys go, and with them the meaning of
 * every body and text that they wrote (law D5).
 *
 * Invariants
 *   E1. The record is durable before the keys go. What a crash leaves between the two
 *       is completed by the next start.
 *   E2. A run that another one begins with stays as long as that one does.
 *   E3. The record says nothing of what the run was: not even a hash, for the hash of a
 *       short text can be guessed.
 */
import { type FilePort, nodeFilePort } from '../journal/file-port.ts';
import { JournalWriter } from '../journal/journal-writer.ts';
import { type AppendRecord, encodedBytes, encodeRecord } from '../journal/record.ts';
import { removeRun } from '../journal/remove-run.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { JournalFollower } from './journal-follower.ts';

export interface ErasureReport {
  /** Each fork before the run that it goes on from. */
  readonly erased: readonly RunId[];
}

/**
 * The run, and with `forks` before it those that begin with its events, directly or not.
 * @throws RuntimeError RUN_NOT_FOUND, RUN_ERASED, RUN_NOT_ENDED, RUN_NOT_ENCRYPTED,
 *   RUN_HAS_FORKS
 */
export function runsToErase(follower: JournalFollower, id: string, forks: boolean): RunId[] {
  const { index, keys } = follower;
  const isCompacted = index.compacted.has(id as RunId) && !index.erased.has(id as RunId);
  // Whose keys are lost is given up by this: nobody waits for them any more.
  const isLost = index.erased.get(id as RunId)?.erasedAt === null;
  const run = isCompacted || isLost ? (id as RunId) : follower.entry(id).id;
  const children = index.all().filter((entry) => entry.started.parent?.run === run);
  const [child] = children;
  if (child !== undefined && !forks) {
    throw new RuntimeError(
      'RUN_HAS_FORKS',
      `The run ${child.id} begins with events of the run ${run}; erase it first, or both with --forks.`,
    );
  }
  const entry = index.get(run);
  if (entry !== undefined && entry.ended === null) {
    const message = `The run ${run} has not ended; wait for it or cancel it.`;
    throw new RuntimeError('RUN_NOT_ENDED', message);
  }
  if (!isLost && keys.find(run) === null) {
    throw new RuntimeError(
      'RUN_NOT_ENCRYPTED',
      `The run ${run} was written before runs had keys, so it cannot be erased alone; claw journal compact drops it with all that is older.`,
    );
  }
  return [...children.flatMap((each) => runsToErase(follower, each.id, forks)), run];
}

/** The records that say that these runs were erased. */
export function erasureRecords(runs: readonly RunId[], timeMs: number): AppendRecord[] {
  const nobody = { actor: null, actorSequence: 0, epoch: 0, cause: null, previousDigest: null };
  const body = Buffer.from('{}'); // (E3)
  return runs.map((run) => ({ type: 'run-erased', run, ...nobody, timeMs, body }));
}

/** Completes what a crash interrupted (E1). @throws RuntimeError DISK_FULL, JOURNAL_FAILED */
export function completeErasures(dataDirectory: string, { index, keys }: JournalFollower): void {
  for (const { id, erasedAt } of index.erased.values()) {
    if (erasedAt !== null) removeRun(dataDirectory, keys, id);
  }
}

/**
 * Erases a run in a data directory that the caller has locked.
 * @param nowMs Milliseconds since the epoch.
 * @throws RuntimeError as `runsToErase`, JOURNAL_CORRUPT, DISK_FULL, JOURNAL_FAILED
 */
export function eraseRun(
  dataDirectory: string,
  id: string,
  {
    forks,
    nowMs,
    files = nodeFilePort,
  }: { readonly forks: boolean; readonly nowMs: number; readonly files?: FilePort },
): ErasureReport {
  // Opened first, for it cuts a torn tail.
  const writer = JournalWriter.open(dataDirectory, { files });
  const follower = new JournalFollower(dataDirectory, { files });
  try {
    follower.advance();
    completeErasures(dataDirectory, follower);
    const runs = runsToErase(follower, id, forks);
    const records = erasureRecords(runs, nowMs);
    const bytes = Buffer.alloc(records.reduce((sum, record) => sum + encodedBytes(record), 0));
    let end = 0;
    for (const record of records) end = encodeRecord(record, bytes, end);
    writer.writeGroup([bytes]); // (E1)
    for (const run of runs) removeRun(dataDirectory, follower.keys, run);
    return { erased: runs };
  } finally {
    follower.close();
    writer.close();
  }
}
