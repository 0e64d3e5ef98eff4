/**
 * Everything that has to be true before a fork begins. Nothing is journaled
 * here, and a failure leaves no run behind.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { levelsOf } from '../actors/labels.ts';
import type { PipelineDefinition } from '../actors/pipeline-definition.ts';
import { workspacesFolder } from '../journal/data-folders.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { newRunId } from '../kernel/ids.ts';
import { changedDefinition, changedOutcomes } from './fork-changes.ts';
import type { ForkInspection } from './fork-inspection.ts';
import { lineage } from './fork-point.ts';
import { restoreWorkspace } from './fork-workspace.ts';
import type { JournalFollower } from './journal-follower.ts';
import {
  modelText,
  type PrepareContext,
  type PreparedRun,
  policiesOf,
  refuseUnservable,
} from './prepare-run.ts';
import { type RunEntry, type RunIndex, runDamaged } from './run-index.ts';
import type { ForkRequest } from './views.ts';

export interface ForkContext extends PrepareContext {
  readonly follower: Pick<JournalFollower, 'blobsOf'> & { readonly index: Pick<RunIndex, 'get'> };
}

/**
 * @throws RuntimeError FORK_INVALID, FORK_WORKSPACE_LOST, RUN_DAMAGED, REPLAY_DIVERGED,
 *   PIPELINE_INVALID, MODEL_UNKNOWN, SCHEMA_UNSUPPORTED, and what `admit` throws.
 */
export async function prepareFork(
  entry: RunEntry,
  request: ForkRequest,
  context: ForkContext,
): Promise<PreparedRun> {
  if (entry.damaged) throw runDamaged(entry);
  const { at, set = {} } = request;
  requirePlace(entry, at);
  const { dataDirectory, pool, follower } = context;
  const { index } = follower;
  const inspection = await pool.run('inspect-fork', { dataDirectory, run: entry.id, at });
  requireGoing(entry, at, inspection);
  const before = definitionAt(entry, at, index);
  const definition = changedDefinition(before, set);
  const changed = JSON.parse(definition) as PipelineDefinition;
  if (definition !== before) refuseUnservable(changed, context.model);
  const outcomes = changedOutcomes(set, inspection.open);
  const { documents, stepsTotal, machines, workspace: initial } = entry.started;
  context.admit({ documents, stepsTotal, machines });
  const run = newRunId();
  try {
    const { changes } = inspection;
    const parents = lineage(entry, index);
    const blobs = follower.blobsOf(entry.id);
    const levels = levelsOf(changed);
    await restoreWorkspace({ dataDirectory, run, parents, initial, blobs, changes, levels });
  } catch (error) {
    await rm(join(workspacesFolder(dataDirectory), run), { recursive: true, force: true });
    throw error;
  }
  const parent = {
    run: entry.id,
    at,
    amended: definition !== before,
    outcomes,
    allowEffects: request.allowEffects ?? false,
  };
  const model = modelText(context.model);
  const policies = policiesOf(context);
  return {
    run,
    texts: new Map(),
    body: { ...entry.started, ...policies, definition, model, parent },
  };
}

function requirePlace({ id, events }: RunEntry, at: number): void {
  if (Number.isInteger(at) && at >= 1 && at <= events.length) return;
  throw new RuntimeError(
    'FORK_INVALID',
    `The run ${id} has ${events.length} events and no event ${at}; claw events lists them.`,
  );
}

function requireGoing({ id }: RunEntry, at: number, { divergence, finish }: ForkInspection): void {
  if (divergence !== null) {
    const { sequence, actor, difference } = divergence;
    throw new RuntimeError(
      'REPLAY_DIVERGED',
      `The replay of the run ${id} diverges at event ${sequence} (${actor}), so it cannot be forked there: ${difference}`,
    );
  }
  if (finish === null) return;
  throw new RuntimeError(
    'FORK_INVALID',
    `The run ${id} has ended by event ${at}, so nothing would go on; fork it at an earlier event.`,
  );
}

/** The definition that held after so many events. */
function definitionAt(entry: RunEntry, at: number, index: Pick<RunIndex, 'get'>): string {
  const { parent, definition } = entry.started;
  const from = parent === undefined ? undefined : index.get(parent.run);
  if (parent === undefined || from === undefined || at > parent.at) return definition;
  return definitionAt(from, at, index);
}
