/**
 * A thread of the pool: takes a task, answers it, keeps nothing.
 */
import { isMainThread } from 'node:worker_threads';
import { backUp } from '../../journal/backup.ts';
import { assert, assertNever } from '../../kernel/assert.ts';
import { toErrorMessage } from '../../kernel/errors.ts';
import { plannedCompaction } from '../compaction-plan.ts';
import { proveCompaction, removeDroppedFiles } from '../compaction-proof.ts';
import { readDocument } from '../document-reader.ts';
import { readExportBatch } from '../export-batch.ts';
import { withKeptFollower } from '../kept-follower.ts';
import { inspectForkPlace, recoverRuns, replayShard } from '../replay-run.ts';
import { auditSnapshot, takeSnapshot } from '../snapshot-run.ts';
import { takeCheckpoint } from '../take-checkpoint.ts';
import { witnessRequest } from '../witness-round.ts';
import type { PoolReply, PoolTask, PoolTaskName, PoolTasks } from './protocol.ts';

assert(!isMainThread, 'the pool entry runs on a worker thread');

/** Called by piscina; errors come back as a reply, because classes do not cross threads. */
export function runTask(task: PoolTask): PoolReply {
  try {
    return { type: 'result', result: perform(task) };
  } catch (error) {
    return { type: 'error', error: toErrorMessage(error) };
  }
}

function perform(task: PoolTask): PoolTasks[PoolTaskName]['result'] {
  switch (task.type) {
    case 'read-documents': {
      const { folder, names, splitCharactersMax } = task.request;
      return names.flatMap((name) => readDocument(folder, name, splitCharactersMax));
    }
    case 'replay-range':
      return replayShard(task.request);
    case 'inspect-fork':
      return inspectForkPlace(task.request);
    case 'plan-compaction': {
      const { dataDirectory, limit, refusals } = task.request;
      return plannedCompaction(dataDirectory, limit, refusals);
    }
    case 'prove-compaction':
      return proveCompaction(task.request);
    case 'remove-dropped':
      return removeDroppedFiles(task.request.dataDirectory, task.request.needed);
    case 'back-up': {
      const { dataDirectory, folder, nowMs } = task.request;
      return backUp(dataDirectory, folder, nowMs);
    }
    case 'snapshot-run': {
      const { dataDirectory, run } = task.request;
      return withKeptFollower(dataDirectory, (follower) =>
        takeSnapshot(follower, follower.entry(run), task.request),
      );
    }
    case 'audit-snapshot': {
      const { dataDirectory, run, program } = task.request;
      return withKeptFollower(dataDirectory, (follower) =>
        auditSnapshot(follower, follower.entry(run), program),
      );
    }
    case 'take-checkpoint':
      return takeCheckpoint(task.request);
    case 'witness-request':
      return witnessRequest(task.request);
    case 'read-export-batch':
      return readExportBatch(task.request);
    case 'recover-runs':
      return recoverRuns(task.request);
    default:
      return assertNever(task, 'pool task');
  }
}
