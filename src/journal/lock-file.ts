/**
 * The lock of a data directory, held by one process. Two files: `lock.sqlite`,
 * which the operating system locks for the owner and frees when the owner
 * ends, however it ends; and `lock`, which tells others who the owner is.
 *
 * A file that merely exists cannot be a lock here: it outlives a killed owner,
 * and of several that find it stale each must judge and replace it in one
 * step, which no file system offers. Node.js has no flock; SQLite, which is
 * part of it, locks the same bytes on every system.
 *
 * Invariants
 *   K1. Who holds the lock on `lock.sqlite` is the owner, nobody else is. The
 *       file is never written, replaced or removed, and after it was created
 *       opened by SQLite only: closing any other descriptor of it in the
 *       owner's process would free the lock.
 *   K2. Only the owner writes or removes `lock`, and it removes it before it
 *       frees the lock. It appears with its whole content.
 *   K3. `lock` is information and never decides who owns: a copied directory
 *       or a reused process number makes it wrong.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { errorNumber } from './file-port.ts';

const lockSchema = z.object({
  pid: z.number().int().positive(),
  /** Start of the process in clock ticks since boot, where the system tells it. */
  processStart: z.string().nullable(),
  startedAtMs: z.number(),
  port: z.number().int().nullable(),
});

type LockContent = z.output<typeof lockSchema>;

/** SQLITE_BUSY: somebody has the lock, or is just trying to get it. */
const sqliteBusy = 5;
/** Milliseconds of one try; between two tries the owner is looked at. */
const tryMs = 10;

/** A handle that nobody refers to any more would be collected, and its lock freed. */
const held = new Set<DatabaseSync>();

export interface LockView {
  readonly pid: number;
  /** When the owner took the lock, milliseconds since the epoch. */
  readonly startedAtMs: number;
  /** Port of the owner's API, null until it listens. */
  readonly port: number | null;
  /** Whether a process of that number and start exists (K3). */
  readonly live: boolean;
}

/** Who owns the data directory, or null when nobody does or the file is unreadable. */
export function readLock(dataDirectory: string): LockView | null {
  const content = readContent(dataDirectory);
  if (content === null) return null;
  const { pid, startedAtMs, port } = content;
  return { pid, startedAtMs, port, live: isAlive(content) };
}

export class DataDirectoryLock {
  readonly #directory: string;
  #handle: DatabaseSync | null;
  #content: LockContent;

  /**
   * Takes the lock.
   * @param nowMs Milliseconds since the epoch, told to others.
   * @throws RuntimeError DATA_DIRECTORY_LOCKED when another owner holds it,
   *   DATA_DIRECTORY_UNUSABLE when the file cannot be locked; Error of the file system.
   */
  constructor(dataDirectory: string, nowMs: number) {
    this.#directory = dataDirectory;
    this.#content = {
      pid: process.pid,
      processStart: processStart(process.pid),
      startedAtMs: nowMs,
      port: null,
    };
    this.#handle = acquire(dataDirectory);
    try {
      this.#publish();
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Publishes the port of the API for other processes. */
  setPort(port: number): void {
    this.#content = { ...this.#content, port };
    if (this.#handle !== null) this.#publish();
  }

  /** Gives the lock back; a second call does nothing. */
  release(): void {
    const handle = this.#handle;
    if (handle === null) return;
    this.#handle = null;
    rmSync(contentPath(this.#directory), { force: true }); // (K2)
    held.delete(handle);
    handle.close();
  }

  /** (K2) */
  #publish(): void {
    const path = contentPath(this.#directory);
    const temporary = `${path}.new`;
    try {
      writeFileSync(temporary, `${JSON.stringify(this.#content)}\n`, { mode: 0o600 });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }
}

/** Locks `lock.sqlite` and returns the handle that holds the lock (K1). */
function acquire(dataDirectory: string): DatabaseSync {
  const path = join(dataDirectory, 'lock.sqlite');
  createForOwner(path);
  let handle: DatabaseSync | null = null;
  try {
    handle = new DatabaseSync(path, { timeout: tryMs });
    for (let tries = limits.lockWaitMsMax / tryMs; !tryExclusive(handle); tries -= 1) {
      const owner = readContent(dataDirectory);
      const live = owner !== null && isAlive(owner);
      // Several that try at once hinder each other for a moment, so busy alone is no owner.
      if (live || tries <= 1) throw locked(dataDirectory, live ? owner : null);
    }
    held.add(handle);
    return handle;
  } catch (error) {
    handle?.close();
    if (error instanceof RuntimeError) throw error;
    throw new RuntimeError(
      'DATA_DIRECTORY_UNUSABLE',
      `${path} cannot be locked (${error instanceof Error ? error.message : String(error)}); use a file system that supports locks, and remove the file if it is damaged and nothing runs on it.`,
      { cause: error },
    );
  }
}

/** SQLite would let the whole group read a new file, and who can read it can block it. */
function createForOwner(path: string): void {
  try {
    // Exclusively: an existing file is not opened, as K1 demands.
    writeFileSync(path, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (errorNumber(error) !== 'EEXIST') throw error;
  }
}

/** False when it is busy. The transaction stays open and writes nothing. */
function tryExclusive(handle: DatabaseSync): boolean {
  try {
    // Without the journal in memory an exclusive transaction creates a file beside.
    handle.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return false;
    throw error;
  }
}

function contentPath(dataDirectory: string): string {
  return join(dataDirectory, 'lock');
}

function readContent(dataDirectory: string): LockContent | null {
  try {
    const text = readFileSync(contentPath(dataDirectory), 'utf8');
    return lockSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

function isAlive(content: LockContent): boolean {
  try {
    process.kill(content.pid, 0);
  } catch (error) {
    // EPERM: the process exists and belongs to somebody else.
    if (errorNumber(error) !== 'EPERM') return false;
  }
  // A new process that got the old one's number is not the owner.
  const start = processStart(content.pid);
  return start === null || content.processStart === null || start === content.processStart;
}

/** Field 22 of /proc/PID/stat; the name in field 2 may hold blanks, so count behind its parenthesis. */
function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not noticed.
    if (fields[0] === 'Z') return 'ended';
    return fields[19] ?? null;
  } catch {
    return null;
  }
}

function locked(dataDirectory: string, content: LockContent | null): RuntimeError {
  const owner = content === null ? 'Another process' : `Process ${content.pid}`;
  const server = content?.port ? `, serving on port ${content.port}` : '';
  return new RuntimeError(
    'DATA_DIRECTORY_LOCKED',
    `${owner} owns the data directory ${dataDirectory}${server}; use it, stop it, or choose another --data.`,
    { details: { pid: content?.pid ?? null, port: content?.port ?? null } },
  );
}
