/**
 * The folder of a run's files: filled from the pipeline's workspace folder,
 * within bounds, and hashed, so that the run's first record names what it
 * began with.
 */
import { copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorNumber } from '../journal/file-port.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import type { CpuPool } from './pool/client.ts';

export interface WorkspaceFile {
  readonly name: string;
  readonly sha256: Sha256;
  readonly bytes: number;
}

/** Files hashed at once. */
const filesPerTurn = 32;

/**
 * Makes `target` and copies the regular files of `source` into it; null copies
 * nothing. Leaves no folder behind when it fails.
 * @throws RuntimeError INPUT_NOT_FOUND, WORKSPACE_TOO_LARGE, DISK_FULL
 */
export async function fillWorkspace(
  target: string,
  source: string | null,
  pool: CpuPool,
): Promise<readonly WorkspaceFile[]> {
  try {
    await mkdir(target, { recursive: true, mode: 0o700 });
    if (source === null) return [];
    const names = await boundedFiles(source);
    for (const name of names) await copyFile(join(source, name), join(target, name));
    return await hashed(target, names, pool);
  } catch (cause) {
    await rm(target, { recursive: true, force: true });
    throw cause instanceof RuntimeError ? cause : workspaceFailure(source ?? target, cause);
  }
}

/** Names of the files to copy, sorted. */
async function boundedFiles(source: string): Promise<readonly string[]> {
  const entries = await readdir(source, { withFileTypes: true });
  const names = entries.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).sort();
  if (names.length > limits.workspaceFilesMax) {
    throw tooLarge(source, `${names.length} files, more than ${limits.workspaceFilesMax}`);
  }
  let bytes = 0;
  for (const name of names) bytes += (await stat(join(source, name))).size;
  if (bytes > limits.workspaceBytesMax) {
    throw tooLarge(source, `${bytes} bytes, more than ${limits.workspaceBytesMax}`);
  }
  return names;
}

async function hashed(
  target: string,
  names: readonly string[],
  pool: CpuPool,
): Promise<readonly WorkspaceFile[]> {
  const files: WorkspaceFile[] = [];
  for (let start = 0; start < names.length; start += filesPerTurn) {
    const turn = names.slice(start, start + filesPerTurn).map(async (name) => ({
      name,
      ...(await pool.run('hash-file', { path: join(target, name) })),
    }));
    files.push(...(await Promise.all(turn)));
  }
  return files;
}

function tooLarge(source: string, what: string): RuntimeError {
  return new RuntimeError(
    'WORKSPACE_TOO_LARGE',
    `The workspace folder ${source} of the pipeline has ${what}; leave out what no tool reads.`,
  );
}

function workspaceFailure(source: string, cause: unknown): RuntimeError {
  const reason = errorNumber(cause) ?? String(cause);
  return reason === 'ENOSPC' || reason === 'EDQUOT'
    ? new RuntimeError(
        'DISK_FULL',
        'The disk is full, so the workspace of the run cannot be filled; free disk space and try again.',
        { cause },
      )
    : new RuntimeError(
        'INPUT_NOT_FOUND',
        `The workspace folder ${source} of the pipeline cannot be copied (${reason}); check input.workspace.`,
        { cause },
      );
}
