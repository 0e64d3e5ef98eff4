/** Verifies a run by replaying it in the pool, and answers with the first divergence. */

import type { StepperKind } from '../actors/stepper.ts';
import { hashJson, type Sha256 } from '../kernel/hash.ts';
import type { IntentionKey } from '../kernel/ids.ts';
import type { Divergence } from './fold-run.ts';
import { outsideKey } from './message-exchange.ts';
import type { CpuPool } from './pool/client.ts';
import type { ReplayResult } from './replay-run.ts';
import { rootActor } from './root-actor.ts';
import type { RunEntry } from './run-index.ts';
import { countsOf, runDamaged, stateHashOf } from './run-index.ts';

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

/** What somebody may have asked of the first actor, where the folds know of nothing else. */
function* cancels(entry: RunEntry): Generator<[IntentionKey, Sha256]> {
  for (let number = 2; number <= countsOf(entry).outsideMessages; number += 1) {
    yield [outsideKey(rootActor, number), hashJson({ type: 'cancel' })];
  }
}

/** Messages that were received otherwise than they were sent, whichever shards their actors are in. */
function exchangeDivergences(entry: RunEntry, results: readonly ReplayResult[]): Divergence[] {
  const sent = new Map([...cancels(entry), ...results.flatMap((each) => [...each.sent])]);
  return results.flatMap(({ received }) =>
    received
      .filter(({ key, digest }) => sent.get(key) !== digest)
      .map(({ key, digest, sequence, actor, actorSequence, type }) => ({
        sequence,
        actor,
        actorSequence,
        event: { type },
        expected: sent.get(key) ?? 'no such message',
        actual: digest,
        difference: 'The message is not the one that its sender sent.',
      })),
  );
}

/** An end of the run that is not the one its first actor asked for. */
function endDivergences(entry: RunEntry, results: readonly ReplayResult[]): Divergence[] {
  const ended = entry.ended?.body;
  const finish = results.find((result) => result.finish !== null)?.finish ?? null;
  // A suspended run that was cancelled has an end from outside.
  if (ended === undefined || (finish === null && ended.status === 'cancelled')) return [];
  const { kind: _kind, ...asked } = finish ?? { kind: 'finish' };
  if (hashJson(asked) === hashJson(ended)) return [];
  return [
    {
      sequence: entry.events.length,
      actor: rootActor,
      actorSequence: 0,
      event: { type: 'run-ended' },
      expected: JSON.stringify(ended),
      actual: JSON.stringify(asked),
      difference: 'The run ended otherwise than its events say.',
    },
  ];
}

/** @throws RuntimeError RUN_DAMAGED, JOURNAL_CORRUPT, BLOB_MISSING */
export async function replayRun(
  dataDirectory: string,
  entry: RunEntry,
  pool: CpuPool,
  stepper: StepperKind = 'compact',
): Promise<ReplayReport> {
  if (entry.damaged) throw runDamaged(entry);
  const shards = Math.min(
    pool.threadsMax,
    Math.max(1, Math.ceil(entry.events.length / eventsPerShard)),
  );
  const results = await Promise.all(
    Array.from({ length: shards }, (_, shard) =>
      pool.run('replay-range', { dataDirectory, run: entry.id, shard, shards, stepper }),
    ),
  );
  const divergences = results.flatMap(({ divergence }) =>
    divergence === null ? [] : [divergence],
  );
  if (divergences.length === 0) {
    divergences.push(...exchangeDivergences(entry, results), ...endDivergences(entry, results));
  }
  divergences.sort((left, right) => left.sequence - right.sequence);
  const divergence = divergences[0] ?? null;
  return {
    run: entry.id,
    events: results.reduce((sum, result) => sum + result.events, 0),
    equal: divergence === null,
    stateHash: stateHashOf(entry),
    divergence,
  };
}
