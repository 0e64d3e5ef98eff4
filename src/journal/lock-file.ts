/**
 * The lock of a data directory: a file that names its owner. It outlives a
 * killed owner, and is then taken over.
 *
 * Invariants
 *   K1. The file appears with its whole content (linked, not written in
 *       place), so nobody mistakes half a lock for a damaged one.
 *   K2. An owner is alive when its process exists and started when the lock
 *       says: a new process that got the old one's number is not the owner.
 *   K3. Whoever takes over a lock moves it away first and looks at what it
 *       moved: of two that try at once, one finds the other's fresh lock.
 */

import { randomBytes } from 'node:crypto';
import {
  existsSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import { errorNumber } from './file-port.ts';

const lockSchema = z.object({
  pid: z.number().int().positive(),
  /** Start of the process in clock ticks since boot, where the system tells it. */
  processStart: z.string().nullable(),
  token: z.string(),
  startedAtMs: z.number(),
  port: z.number().int().nullable(),
});

type LockContent = z.output<typeof lockSchema>;

export interface LockView {
  readonly pid: number;
  /** When the owner took the lock, milliseconds since the epoch. */
  readonly startedAtMs: number;
  /** Port of the owner's API, null until it listens. */
  readonly port: number | null;
  /** Whether the owner is alive. */
  readonly live: boolean;
}

function lockPath(dataDirectory: string): string {
  return join(dataDirectory, 'lock');
}

/** Who owns the data directory, or null when nobody does or the file is unreadable. */
export function readLock(dataDirectory: string): LockView | null {
  const content = readContent(lockPath(dataDirectory));
  if (content === null) return null;
  const { pid, startedAtMs, port } = content;
  return { pid, startedAtMs, port, live: isAlive(content) };
}

export class DataDirectoryLock {
  readonly #path: string;
  #content: LockContent;

  /**
   * Takes the lock.
   * @throws RuntimeError DATA_DIRECTORY_LOCKED when a live process holds it.
   */
  constructor(dataDirectory: string, nowMs: number) {
    this.#path = lockPath(dataDirectory);
    this.#content = {
      pid: process.pid,
      processStart: processStart(process.pid),
      token: randomBytes(8).toString('hex'),
      startedAtMs: nowMs,
      port: null,
    };
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (this.#tryCreate()) return;
      this.#removeStale(dataDirectory);
    }
    throw locked(dataDirectory, readContent(this.#path));
  }

  /** Publishes the port of the API for other processes. */
  setPort(port: number): void {
    this.#content = { ...this.#content, port };
    const temporary = this.#writeBeside();
    renameSync(temporary, this.#path);
  }

  release(): void {
    if (readContent(this.#path)?.token === this.#content.token) rmSync(this.#path, { force: true });
  }

  #writeBeside(): string {
    const temporary = `${this.#path}.${this.#content.token}`;
    try {
      writeFileSync(temporary, `${JSON.stringify(this.#content)}\n`, { mode: 0o600, flush: true });
      return temporary;
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  /** (K1) */
  #tryCreate(): boolean {
    const temporary = this.#writeBeside();
    try {
      linkSync(temporary, this.#path);
      return true;
    } catch (error) {
      if (errorNumber(error) === 'EEXIST') return false;
      // A file system without hard links: create it in place, exclusively.
      return createInPlace(this.#path, this.#content);
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  #removeStale(dataDirectory: string): void {
    const found = readContent(this.#path);
    if (found !== null && isAlive(found)) throw locked(dataDirectory, found);
    const moved = `${this.#path}.stale.${this.#content.token}`;
    try {
      renameSync(this.#path, moved);
    } catch (error) {
      if (errorNumber(error) === 'ENOENT') return;
      throw error;
    }
    const taken = readContent(moved);
    if (taken !== null && isAlive(taken)) {
      // (K3) Another process took over in between; give its lock back.
      if (!existsSync(this.#path)) renameSync(moved, this.#path);
      throw locked(dataDirectory, taken);
    }
    unlinkSync(moved);
  }
}

function createInPlace(path: string, content: LockContent): boolean {
  try {
    writeFileSync(path, `${JSON.stringify(content)}\n`, { flag: 'wx', mode: 0o600, flush: true });
    return true;
  } catch (error) {
    if (errorNumber(error) === 'EEXIST') return false;
    throw error;
  }
}

function readContent(path: string): LockContent | null {
  try {
    const parsed = lockSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** (K2) */
function isAlive(content: LockContent): boolean {
  try {
    process.kill(content.pid, 0);
  } catch (error) {
    // EPERM: the process exists and belongs to somebody else.
    if (errorNumber(error) !== 'EPERM') return false;
  }
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
