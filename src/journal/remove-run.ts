/** Takes a run off the disk, apart from its records, which nobody can read then. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunId } from '../kernel/ids.ts';
import { fileLabelsPath, runBlobsFolder, workspacesFolder } from './data-folders.ts';
import type { RunKeys } from './run-keys.ts';
import { writeFailure } from './write-failure.ts';

/**
 * Erases the run's keys, durably, and then the files that are the run's alone. Repeated,
 * it completes what a crash has interrupted.
 * @throws RuntimeError DISK_FULL, JOURNAL_FAILED
 */
export function removeRun(dataDirectory: string, keys: RunKeys, run: RunId): void {
  keys.erase(run);
  try {
    for (const folder of [
      runBlobsFolder(dataDirectory, run),
      join(workspacesFolder(dataDirectory), run),
      fileLabelsPath(dataDirectory, run),
    ]) {
      rmSync(folder, { recursive: true, force: true });
    }
  } catch (error) {
    throw writeFailure(error);
  }
}
