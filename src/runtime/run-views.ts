/** Every run as it is shown: those that can be read, and what is left of the others. */
import type { RunId } from '../kernel/ids.ts';
import { compactedView, compactedViews, type WorkspaceOf } from './compacted-runs.ts';
import { erasedView } from './erased-runs.ts';
import type { JournalFollower } from './journal-follower.ts';
import { runView } from './run-index.ts';
import type { RunView } from './views.ts';

/** Those of which no event is left first, then the erased, then the others, each oldest first. */
export function runViews(follower: JournalFollower, workspaceOf: WorkspaceOf): RunView[] {
  const { index } = follower;
  const compacted = compactedViews(follower, workspaceOf);
  return [
    ...compacted.filter(({ id }) => !index.erased.has(id)),
    ...index.erased.values().map(erasedView),
    ...index.all().map((entry) => runView(entry, workspaceOf(entry.id))),
  ];
}

/** @throws RuntimeError RUN_NOT_FOUND */
export function viewOfRun(
  follower: JournalFollower,
  id: string,
  workspaceOf: WorkspaceOf,
): RunView {
  const { index } = follower;
  const erased = index.erased.get(id as RunId);
  if (erased !== undefined) return erasedView(erased);
  const compacted = compactedView(follower, id, workspaceOf);
  if (compacted !== null) return compacted;
  const entry = follower.entry(id);
  return runView(entry, workspaceOf(entry.id));
}
