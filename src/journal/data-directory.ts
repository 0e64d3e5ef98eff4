/**
 * Opens a data directory for the one process that may write it: creates what
 * is missing, checks the version, takes the lock.
 *
 * Invariants
 *   F1. A folder that holds anything but a data directory is left alone.
 *   F2. The folders inside are readable by their owner only.
 *   F3. A newer version is refused before anything is written. An older one is
 *       raised once the lock is held, and from then on older programs refuse it:
 *       what was written stays as it is, what is written has the new format.
 *   F4. The version appears with its whole content, so that a first start on a
 *       full disk leaves nothing that a later one would take for damage.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import { blobsFolder, journalFolder, keysFolder, workspacesFolder } from './data-folders.ts';
import { errorNumber } from './file-port.ts';
import { DataDirectoryLock } from './lock-file.ts';

export { readLock } from './lock-file.ts';

const dataVersion = 3;
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
    makeFolder(path);
    const created = prepareVersion(path);
    const lock = new DataDirectoryLock(path, nowMs);
    if (readVersion(path) !== dataVersion) writeVersion(path); // (F3)
    for (const folder of [journalFolder, blobsFolder, keysFolder, workspacesFolder]) {
      mkdirSync(folder(path), { recursive: true, mode: ownerOnly }); // (F2)
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
 * Whether there is a data directory already, which another process may own.
 * @throws RuntimeError DATA_DIRECTORY_UNUSABLE, DATA_VERSION_NEWER
 */
export function hasDataDirectory(directory: string): boolean {
  return readVersion(resolve(directory)) !== null;
}

/**
 * Checks a data directory that is only read. One that does not exist yet is
 * as good as one without runs.
 * @throws RuntimeError DATA_DIRECTORY_UNUSABLE when something else is there,
 *   DATA_VERSION_NEWER.
 */
export function checkDataDirectory(directory: string): void {
  const path = resolve(directory);
  if (readVersion(path) !== null) return;
  try {
    refuseForeign(path);
  } catch (error) {
    if (errorNumber(error) !== 'ENOENT') throw unusable(path, error);
  }
}

/**
 * Creates the folder and those above it. One by one, because the recursive
 * call of Node.js never returns where a file system forbids new names (/proc).
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent);
  try {
    mkdirSync(path, { mode: ownerOnly });
  } catch (error) {
    // Another process may have been faster; what it made is looked at later.
    if (errorNumber(error) !== 'EEXIST') throw error;
  }
}

/** Writes the version into an empty folder; true when it did. */
function prepareVersion(path: string): boolean {
  if (readVersion(path) !== null) return false;
  refuseForeign(path); // (F1)
  writeVersion(path);
  return true;
}

function writeVersion(path: string): void {
  const temporary = join(path, `${versionFile}.${process.pid}.tmp`);
  try {
    writeFileSync(temporary, `${dataVersion}\n`, { mode: 0o600, flush: true });
    renameSync(temporary, join(path, versionFile)); // (F4)
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** What people put there before the first start. */
const prepared = ['policies'];

/** The half-written files of a crashed first start do not count as foreign. */
function refuseForeign(path: string): void {
  const foreign = readdirSync(path).find(
    (name) =>
      !name.startsWith('lock') && !name.startsWith(`${versionFile}.`) && !prepared.includes(name),
  );
  if (foreign === undefined) return;
  throw new RuntimeError(
    'DATA_DIRECTORY_UNUSABLE',
    `${path} holds other files (${foreign}) and is not a data directory; choose an empty folder with --data.`,
  );
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
      `The disk is full, so the data directory ${path} cannot be prepared; free disk space and start again.`,
      { cause: error },
    );
  }
  const reasons: Readonly<Record<string, string>> = {
    EEXIST: 'it is not a directory',
    ENOTDIR: 'it is not a directory',
    ENOENT: 'it cannot be created there',
    ELOOP: 'its links lead in a circle',
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
