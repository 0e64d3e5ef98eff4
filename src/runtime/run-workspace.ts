/**
 * The folder of a run's files: filled from the pipeline's workspace folder,
 * within bounds, so that the run's first record names what it began with. The
 * contents are texts of the run, for its forks: the files themselves may change.
 */
import { copyFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorNumber } from '../journal/file-port.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import type { BlobLookup } from './event-record.ts';

export interface WorkspaceFile {
  readonly name: string;
  readonly sha256: Sha256;
  readonly bytes: number;
  /**
   * The content in parts. A run of before they were kept has none, nor has a file of a
   * redacted run that is no text.
   */
  readonly texts?: readonly Sha256[];
}

/** What a workspace began with, and the texts that its files name. */
export interface FilledWorkspace {
  readonly files: readonly WorkspaceFile[];
  readonly texts: ReadonlyMap<Sha256, Buffer>;
}

/**
 * Makes `target` and copies the regular files of `source` into it; null copies
 * nothing. Leaves no folder behind when it fails.
 * @throws RuntimeError INPUT_NOT_FOUND, WORKSPACE_TOO_LARGE, DISK_FULL
 */
export async function fillWorkspace(
  target: string,
  source: string | null,
): Promise<FilledWorkspace> {
  try {
    await mkdir(target, { recursive: true, mode: 0o700 });
    const files: WorkspaceFile[] = [];
    const texts = new Map<Sha256, Buffer>();
    if (source === null) return { files, texts };
    let bytes = 0;
    for (const name of await boundedFiles(source)) {
      await copyFile(join(source, name), join(target, name));
      const content = await readFile(join(target, name));
      bytes += content.length;
      if (bytes > limits.workspaceBytesMax) throw tooLarge(source, 'grown meanwhile');
      files.push(workspaceFile(name, content, texts));
    }
    return { files, texts };
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

/** A file as a record names it; its parts are added to `texts`. */
export function workspaceFile(
  name: string,
  content: Buffer,
  texts: Map<Sha256, Buffer>,
): WorkspaceFile {
  const parts: Sha256[] = [];
  for (let start = 0; start < content.length; start += limits.workspaceTextBytesMax) {
    const part = content.subarray(start, start + limits.workspaceTextBytesMax);
    const hash = sha256(part);
    texts.set(hash, part);
    parts.push(hash);
  }
  return { name, sha256: sha256(content), bytes: content.length, texts: parts };
}

/** The content of a file, or null where a part of it is not there. */
export function contentOfFile({ texts }: WorkspaceFile, blobs: BlobLookup): Buffer | null {
  const parts = texts?.map((hash) => blobs(hash));
  return parts?.every((part) => part !== null) ? Buffer.concat(parts) : null;
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
