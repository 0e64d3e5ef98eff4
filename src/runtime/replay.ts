/** Verifies a run by replaying it in the pool, and answers with the first divergence. */
import { limits } from '../kernel/limits.ts';
import type { Divergence } from './fold-run.ts';
import type { CpuPool } from './pool/client.ts';
import type { RunEntry } from './run-index.ts';
import { stateHashOf } from './run-index.ts';

export interface ReplayReport {
  readonly run: string;
  /** Events replayed. */
  readonly events: number;
  readonly equal: boolean;
  /** State hash after the last event, as journaled. */
  readonly stateHash: string;
  readonly divergence: Divergence | null;
}

/** Below this many events a second thread costs more than it saves. */
const eventsPerShard = 500;

/** @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING */
export async function replayRun(
  dataDirectory: string,
  entry: RunEntry,
  pool: CpuPool,
): Promise<ReplayReport> {
  const shards = Math.min(
    limits.poolThreadsMax,
    Math.max(1, Math.ceil(entry.events.length / eventsPerShard)),
  );
  const results = await Promise.all(
    Array.from({ length: shards }, (_, shard) =>
      pool.run('replay-range', { dataDirectory, run: entry.id, shard, shards }),
    ),
  );
  const divergences = results
    .flatMap(({ divergence }) => (divergence === null ? [] : [divergence]))
    .sort((left, right) => left.sequence - right.sequence);
  const divergence = divergences[0] ?? null;
  return {
    run: entry.id,
    events: results.reduce((sum, result) => sum + result.events, 0),
    equal: divergence === null,
    stateHash: stateHashOf(entry),
    divergence,
  };
}
