/**
 * The files of a fork: a folder of its own, as the files of its parent were
 * after the events that it begins with. What those wrote is written again;
 * what the parent began with is a text of its, or else copied if it is still what it was.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileActuator } from '../actuators/file.ts';
import { FileLabels } from '../actuators/file-labels.ts';
import { pathComponents } from '../actuators/workspace-path.ts';
import type { Levels } from '../identity/clearance.ts';
import { fileLabelsPath, workspacesFolder } from '../journal/data-folders.ts';
import { systemClock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { sha256 } from '../kernel/hash.ts';
import type { IntentionKey, RunId } from '../kernel/ids.ts';
import type { BlobLookup } from './event-record.ts';
import type { FileChange } from './fork-inspection.ts';
import { contentOfFile, type WorkspaceFile } from './run-workspace.ts';

export interface ForkedFiles {
  readonly dataDirectory: string;
  readonly run: RunId;
  /** The parent and the runs that it is a fork of, the latest first. */
  readonly parents: readonly RunId[];
  /** What the first of them began with. */
  readonly initial: readonly WorkspaceFile[];
  /** Texts of the parent. */
  readonly blobs: BlobLookup;
  readonly changes: readonly FileChange[];
  /** Levels of the labels of files; null where the run has none. */
  readonly levels: Levels | null;
}

/**
 * Makes the workspace of a fork.
 * @throws RuntimeError FORK_WORKSPACE_LOST, and what a write throws
 */
export async function restoreWorkspace(files: ForkedFiles): Promise<void> {
  const { dataDirectory, run, initial, changes, levels } = files;
  const workspace = join(workspacesFolder(dataDirectory), run);
  await mkdir(workspace, { recursive: true, mode: 0o700 });
  for (const file of initial) {
    const first = changes.find(({ arguments: { path } }) => path === file.name);
    if (first?.operation !== 'write') await copyInitial(file, workspace, files);
  }
  const { operations } = fileActuator();
  const labels = new FileLabels((of) => fileLabelsPath(dataDirectory, of));
  for (const [index, change] of changes.entries()) {
    const { path, label } = change.arguments;
    if (levels !== null && typeof path === 'string' && typeof label === 'string') {
      // Nothing but the gateway's own file makes links, so the path is what it says.
      labels.raise(run, levels, { path: pathComponents(path).join('/'), label });
    }
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
}

/** From the journal, or from whichever parent still has it, whatever was appended to it since. */
async function copyInitial(
  file: WorkspaceFile,
  workspace: string,
  { dataDirectory, parents, blobs }: ForkedFiles,
): Promise<void> {
  const { name, sha256: expected, bytes } = file;
  const kept = contentOfFile(file, blobs);
  if (kept !== null) return writeFile(join(workspace, name), kept);
  for (const parent of parents) {
    const source = join(workspacesFolder(dataDirectory), parent, name);
    const content = (await readFile(source).catch(() => null))?.subarray(0, bytes);
    if (content === undefined || sha256(content) !== expected) continue;
    await writeFile(join(workspace, name), content);
    return;
  }
  throw new RuntimeError(
    'FORK_WORKSPACE_LOST',
    `The file ${name} that the run began with was changed or removed since, or left out of a redacted archive, so its workspace cannot be restored there; fork at an event after it was written again.`,
  );
}
