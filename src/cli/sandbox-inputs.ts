/** What a user names for one execution: script, input, mounts, and where outputs go. */
import { existsSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import { findNonJson, type Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { readArchive } from '../sandbox/archive-mount.ts';
import { FileError } from '../sandbox/file-error.ts';
import { readFolder } from '../sandbox/folder-mount.ts';
import type { Mount } from '../sandbox/mount.ts';
import { MountBudget, mountFault } from '../sandbox/mount-budget.ts';
import { overlayPath, pathText } from '../sandbox/overlay-path.ts';
import type { Language } from '../sandbox/sandboxes.ts';
import type { Io } from './io.ts';
import { readScript } from './script-file.ts';
import { FileFault, readBounded, readTextFile } from './text-file.ts';

/** Where something is mounted unless its option says so. */
const usualPlace = '/docs';

const languageOf: Readonly<Record<string, Language>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.sh': 'sh',
  '.bash': 'bash',
  '.py': 'py',
};

/** By the file's name; JavaScript where that says nothing. */
export function languageOfFile(file: string): Language {
  return languageOf[extname(file).toLowerCase()] ?? 'js';
}

/**
 * The script in a file, or on standard input where the file is `-`.
 * @throws RuntimeError SANDBOX_INPUT_INVALID
 */
export async function readSource(io: Io, file: string): Promise<string> {
  if (file !== '-') return readScript(resolve(io.cwd, file));
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of io.input?.() ?? []) {
    length += piece.length;
    if (length > limits.sandboxScriptBytesMax) {
      const most = limits.sandboxScriptBytesMax / 1_024;
      throw invalid(`The script on standard input is larger than ${most} KiB; make it smaller.`);
    }
    pieces.push(piece);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces));
  } catch (cause) {
    throw invalid('The script on standard input is not UTF-8 text.', cause);
  }
}

/**
 * The input of a script: JSON on the command line, or the name of a file with it.
 * @throws RuntimeError SANDBOX_INPUT_INVALID
 */
export function readInput(cwd: string, text: string): Json {
  const direct = parsed(text);
  if (direct !== undefined) return direct;
  try {
    const content = parsed(readTextFile(resolve(cwd, text), limits.sandboxInputBytesMax));
    if (content !== undefined) return content;
    throw new FileFault('is not JSON');
  } catch (cause) {
    if (!(cause instanceof FileFault)) throw cause;
    throw invalid(`--input is no JSON, and the file ${text} ${cause.message}.`, cause);
  }
}

function parsed(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return findNonJson(value) === null ? value : undefined;
  } catch {
    return undefined;
  }
}

export interface ReadMounts {
  readonly mounts: readonly Mount[];
  /** What of the folders is not there, each with the reason. */
  readonly leftOut: readonly string[];
}

/**
 * Everything that is mounted, within one budget.
 * @throws RuntimeError SANDBOX_MOUNT_INVALID
 */
export async function readMounts(
  cwd: string,
  named: { readonly folders: readonly string[]; readonly archives: readonly string[] },
): Promise<ReadMounts> {
  const budget = new MountBudget();
  const mounts: Mount[] = [];
  const leftOut: string[] = [];
  for (const text of named.folders) {
    const { path, at } = placed(cwd, text);
    const folder = readFolder(path, { at, budget });
    mounts.push(folder.mount);
    leftOut.push(...folder.leftOut);
  }
  for (const text of named.archives) {
    const { path, at } = placed(cwd, text);
    mounts.push(await readArchive(archiveBytes(path), { at, budget }));
  }
  return { mounts, leftOut };
}

function archiveBytes(path: string): Buffer {
  try {
    return readBounded(path, limits.sandboxArchiveBytesMax);
  } catch (cause) {
    if (!(cause instanceof FileFault)) throw cause;
    throw mountFault(`The archive ${path} ${cause.message}.`, cause);
  }
}

/** `PATH` or `PATH:/place`; a path that exists with its colon is one. */
function placed(cwd: string, text: string): { path: string; at: string } {
  const whole = resolve(cwd, text);
  const match = /^(.+):(\/.*)$/s.exec(text);
  if (match === null || existsSync(whole)) return { path: whole, at: usualPlace };
  const [, path = '', place = ''] = match;
  try {
    return { path: resolve(cwd, path), at: pathText(overlayPath(place)) };
  } catch (cause) {
    if (!(cause instanceof FileError)) throw cause;
    throw mountFault(`Nothing can be mounted at ${place}: ${cause.message}.`, cause);
  }
}

function invalid(message: string, cause?: unknown): RuntimeError {
  return new RuntimeError('SANDBOX_INPUT_INVALID', message, { cause });
}
