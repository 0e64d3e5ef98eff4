/** Runs that were dropped with the beginning of the journal: what they had come to. */
import type { CompactedRun } from '../journal/compaction.ts';
import type { RunKeys } from '../journal/run-keys.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import type { JsonObject } from '../kernel/json.ts';
import { type ErasedRun, erasedView, lostRun } from './erased-runs.ts';
import { emptyStateHash, type RunEntry, type RunIndex, runView } from './run-index.ts';
import type { RunView } from './views.ts';

export type WorkspaceOf = (id: RunId) => string;

/** What knows the runs and can read them. */
interface Dropped {
  readonly index: RunIndex;
  readonly keys: RunKeys;
}

/** What stays of a run that a full replay has found equal; what it came to is under its keys. */
export function compactedRun(entry: RunEntry, keys: RunKeys): CompactedRun {
  const view = runView(entry, '');
  const { id, events, stateHash, resultHash } = view;
  const encrypted = keys.find(id)?.encrypt(Buffer.from(JSON.stringify(view)));
  const hidden = { encrypted: encrypted?.toString('base64') ?? '' };
  const told = encrypted === undefined ? (view as unknown as JsonObject) : hidden;
  return { id, events, stateHash, resultHash, view: told };
}

/** What stays of a run that was erased before. */
export function compactedErasedRun(run: ErasedRun): CompactedRun {
  const { id, events, createdAt, endedAt, erasedAt } = run;
  const view = { createdAt, endedAt, erasedAt };
  return { id, events, stateHash: emptyStateHash, resultHash: null, view };
}

/** Oldest first. */
export function compactedViews(follower: Dropped, workspaceOf: WorkspaceOf): RunView[] {
  const { index, keys } = follower;
  return [...index.compacted.values()].map((run) => shown(run, keys, workspaceOf));
}

/** The run's view, or null where its events are there or no such run is. */
export function compactedView(
  { index, keys }: Dropped,
  id: string,
  workspaceOf: WorkspaceOf,
): RunView | null {
  const run = index.compacted.get(id as RunId);
  return run === undefined ? null : shown(run, keys, workspaceOf);
}

function shown(run: CompactedRun, keys: RunKeys, workspaceOf: WorkspaceOf): RunView {
  const { id, events, view } = run;
  let told = view;
  if (typeof view.encrypted === 'string') {
    const cipher = keys.find(id);
    if (cipher === null) return erasedView({ ...lostRun(id), events });
    const json = cipher.decrypt(Buffer.from(view.encrypted, 'base64')).toString('utf8');
    told = JSON.parse(json) as JsonObject;
  }
  const { outputs, ...rest } = told as unknown as RunView; // `compactedRun` wrote it.
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
