/**
 * Opens a data directory for the one process that may write it: creates what
 * is missing, checks the version, takes the lock.
 *
 * Invariants
 *   F1. A folder that holds anything but a data directory is left alone.
 *   F2. The folders inside are readable by their owner only.
 *   F3. A newer version is refused before anything is written.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import { blobsFolder, journalFolder, workspacesFolder } from './data-folders.ts';
import { errorNumber } from './file-port.ts';
import { DataDirectoryLock } from './lock-file.ts';

export { readLock } from './lock-file.ts';

const dataVersion = 1;
const versionFile = 'VERSION';
const ownerOnly = 0o700;

export interface DataDirectory {
  /** Absolute path. */
  readonly path: string;
  /** Whether nothing was there before. */
  readonly created: boolean;
  /** Publishes the port of the API in the lock. */
  setPort(port: number): void;
  /** Gives the lock back. */
  release(): void;
}

/**
 * @param nowMs Milliseconds since the epoch, written into the lock.
 * @throws RuntimeError DATA_DIRECTORY_LOCKED, DATA_DIRECTORY_UNUSABLE,
 *   DATA_VERSION_NEWER, DISK_FULL.
 */
export function openDataDirectory(directory: string, nowMs: number): DataDirectory {
  const path = resolve(directory);
  try {
    mkdirSync(path, { recursive: true, mode: ownerOnly });
    const created = prepareVersion(path);
    const lock = new DataDirectoryLock(path, nowMs);
    for (const folder of [journalFolder(path), blobsFolder(path), workspacesFolder(path)]) {
      mkdirSync(folder, { recursive: true, mode: ownerOnly }); // (F2)
    }
    return {
      path,
      created,
      setPort: (port) => lock.setPort(port),
      release: () => lock.release(),
    };
  } catch (error) {
    throw unusable(path, error);
  }
}

/**
 * Checks the version of a data directory that is only read.
 * @throws RuntimeError DATA_DIRECTORY_UNUSABLE when there is none, DATA_VERSION_NEWER.
 */
export function checkDataDirectory(directory: string): void {
  const path = resolve(directory);
  if (readVersion(path) !== null) return;
  throw new RuntimeError(
    'DATA_DIRECTORY_UNUSABLE',
    `${path} is not a data directory; start a server with --data ${path} first, or choose another.`,
  );
}

/** Writes the version into an empty folder; true when it did. */
function prepareVersion(path: string): boolean {
  if (readVersion(path) !== null) return false;
  // The half-written files of a crashed first start do not count as foreign.
  const foreign = readdirSync(path).find((name) => !name.startsWith('lock'));
  if (foreign !== undefined) {
    throw new RuntimeError(
      'DATA_DIRECTORY_UNUSABLE',
      `${path} holds other files (${foreign}) and is not a data directory; choose an empty folder with --data.`,
    ); // (F1)
  }
  writeFileSync(join(path, versionFile), `${dataVersion}\n`, { mode: 0o600, flush: true });
  return true;
}

function readVersion(path: string): number | null {
  let text: string;
  try {
    text = readFileSync(join(path, versionFile), 'utf8').trim();
  } catch (error) {
    if (errorNumber(error) === 'ENOENT') return null;
    throw unusable(path, error);
  }
  const version = Number(text);
  if (!/^\d+$/.test(text) || version < 1) {
    throw new RuntimeError(
      'DATA_DIRECTORY_UNUSABLE',
      `${join(path, versionFile)} does not name a version; restore it from a copy or choose another --data.`,
    );
  }
  if (version > dataVersion) {
    throw new RuntimeError(
      'DATA_VERSION_NEWER',
      `The data directory ${path} has version ${version}, and this program knows up to ${dataVersion}; upgrade it or choose another --data.`,
    ); // (F3)
  }
  return version;
}

function unusable(path: string, error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const number = errorNumber(error);
  if (number === 'ENOSPC' || number === 'EDQUOT') {
    return new RuntimeError(
      'DISK_FULL',
      `The disk is full, so the data directory ${path} cannot be prepared.`,
      { cause: error },
    );
  }
  const reasons: Readonly<Record<string, string>> = {
    EEXIST: 'it is not a directory',
    ENOTDIR: 'it is not a directory',
    EACCES: 'permission is denied',
    EPERM: 'permission is denied',
    EROFS: 'the file system is read-only',
  };
  const reason = reasons[number ?? ''] ?? (error instanceof Error ? error.message : String(error));
  return new RuntimeError(
    'DATA_DIRECTORY_UNUSABLE',
    `The data directory ${path} cannot be used: ${reason}; choose another with --data.`,
    { cause: error },
  );
}
