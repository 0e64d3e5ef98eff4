/**
 * The files of a fork: a folder of its own, as the files of its parent were
 * after the events that it begins with. What those wrote is written again;
 * what the parent began with is copied, if it is still what it was.
 */
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileActuator } from '../actuators/file.ts';
import { workspacesFolder } from '../journal/data-folders.ts';
import { systemClock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { IntentionKey, RunId } from '../kernel/ids.ts';
import type { FileChange } from './fork-inspection.ts';
import type { CpuPool } from './pool/client.ts';
import type { WorkspaceFile } from './run-workspace.ts';

export interface ForkedFiles {
  readonly dataDirectory: string;
  readonly run: RunId;
  /** The parent and the runs that it is a fork of, the latest first. */
  readonly parents: readonly RunId[];
  /** What the first of them began with. */
  readonly initial: readonly WorkspaceFile[];
  readonly changes: readonly FileChange[];
}

/**
 * Makes the workspace of a fork.
 * @throws RuntimeError FORK_WORKSPACE_LOST, and what a write throws
 */
export async function restoreWorkspace(files: ForkedFiles, pool: CpuPool): Promise<string> {
  const { dataDirectory, run, initial, changes } = files;
  const workspace = join(workspacesFolder(dataDirectory), run);
  await mkdir(workspace, { recursive: true, mode: 0o700 });
  const written = new Set(changes.map(({ arguments: { path } }) => path));
  for (const file of initial) {
    if (!written.has(file.name)) await copyInitial(file, workspace, files, pool);
  }
  const { operations } = fileActuator();
  for (const [index, change] of changes.entries()) {
    const operation = operations[change.operation];
    if (operation === undefined) continue; // The inspection replayed it, so there is one.
    await operation.perform(operation.arguments.parse(change.arguments), {
      key: `${run}:restored:${index}` as IntentionKey,
      run,
      workspace,
      signal: new AbortController().signal,
      clock: systemClock,
      recorded: async () => undefined,
    });
  }
  return workspace;
}

/** From whichever parent still has it. */
async function copyInitial(
  { name, sha256 }: WorkspaceFile,
  workspace: string,
  { dataDirectory, parents }: ForkedFiles,
  pool: CpuPool,
): Promise<void> {
  for (const parent of parents) {
    const source = join(workspacesFolder(dataDirectory), parent, name);
    const found = await pool.run('hash-file', { path: source }).catch(() => null);
    if (found?.sha256 !== sha256) continue;
    await copyFile(source, join(workspace, name));
    return;
  }
  throw new RuntimeError(
    'FORK_WORKSPACE_LOST',
    `The file ${name} that the run began with was changed or removed since, so its workspace cannot be restored there; fork at an event after it was written again.`,
  );
}
