/** Runs that were dropped with the beginning of the journal: what they had come to. */
import type { CompactedRun } from '../journal/compaction.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import type { JsonObject } from '../kernel/json.ts';
import { type RunEntry, type RunIndex, runView } from './run-index.ts';
import type { RunView } from './views.ts';

type WorkspaceOf = (id: RunId) => string;

/** What stays of a run that a full replay has found equal. */
export function compactedRun(entry: RunEntry): CompactedRun {
  const view = runView(entry, '');
  const { id, events, stateHash, resultHash } = view;
  return { id, events, stateHash, resultHash, view: view as unknown as JsonObject };
}

/** Oldest first. */
export function compactedViews(index: RunIndex, workspaceOf: WorkspaceOf): RunView[] {
  return [...index.compacted.values()].map((run) => shown(run, workspaceOf));
}

/** The run's view, or null where its events are there or no such run is. */
export function compactedView(
  index: RunIndex,
  id: string,
  workspaceOf: WorkspaceOf,
): RunView | null {
  const run = index.compacted.get(id as RunId);
  return run === undefined ? null : shown(run, workspaceOf);
}

function shown({ id, view }: CompactedRun, workspaceOf: WorkspaceOf): RunView {
  const { outputs, ...rest } = view as unknown as RunView; // `compactedRun` wrote it.
  const workspace = workspaceOf(id);
  return { ...rest, outputs: outputs === null ? null : { ...outputs, workspace }, compacted: true };
}

/** Why a run that was dropped can be neither replayed nor looked into. */
export function runCompacted(id: string): RuntimeError {
  return new RuntimeError(
    'RUN_COMPACTED',
    `The events of the run ${id} were dropped after a full replay had found them equal; replay it from a backup or an archive of before.`,
  );
}
