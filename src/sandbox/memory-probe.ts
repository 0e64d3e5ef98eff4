/**
 * What another process uses, read from /proc. Elsewhere than on Linux nobody
 * tells without starting a program, so the probe answers null and the caller
 * is left with the wall clock and the isolate's own limit.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { limits } from '../kernel/limits.ts';

const pageBytes = 4_096;
const mebibyte = 1024 * 1024;
/** Unit of the times in /proc/<pid>/stat: Linux shows a hundredth of a second on every platform. */
const clockTickMs = 10;
/** Places of utime, stime, cutime and cstime behind the name in /proc/<pid>/stat. */
const ownTimes = [11, 12];
const timesWithEnded = [...ownTimes, 13, 14];

/** Looks at one process again and again; its file stays open between two looks. */
export class ProcessProbe {
  readonly #pid: number;
  readonly #descendants: boolean;
  readonly #buffer = Buffer.alloc(256);
  #descriptor: number | null = null;

  /** @param options.descendants whether what the process has started counts too. */
  constructor(pid: number, options: { readonly descendants?: boolean } = {}) {
    this.#pid = pid;
    this.#descendants = options.descendants ?? false;
    if (process.platform !== 'linux') return;
    try {
      this.#descriptor = openSync(`/proc/${pid}/statm`, 'r');
    } catch {
      this.#descriptor = null; // The process has ended.
    }
  }

  /** Resident memory in MiB, or null when nobody can tell. */
  residentMb(): number | null {
    if (this.#descriptor === null) return null;
    try {
      const length = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, 0);
      const own = residentMbIn(this.#buffer.toString('latin1', 0, length));
      if (own === null || !this.#descendants) return own;
      return descendantsOf(this.#pid).reduce((sum, pid) => sum + residentMbOf(pid), own);
    } catch {
      return null;
    }
  }

  /** Processor time since the start of the process in ms, in steps of 10, or null. */
  cpuMs(): number | null {
    if (this.#descriptor === null) return null;
    if (!this.#descendants) return cpuMsOf(this.#pid, ownTimes);
    const own = cpuMsOf(this.#pid, timesWithEnded);
    if (own === null) return null;
    return descendantsOf(this.#pid).reduce(
      (sum, pid) => sum + (cpuMsOf(pid, timesWithEnded) ?? 0),
      own,
    );
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

function residentMbIn(statm: string): number | null {
  const pages = Number(statm.split(' ')[1]);
  return Number.isFinite(pages) ? (pages * pageBytes) / mebibyte : null;
}

function residentMbOf(pid: number): number {
  try {
    return residentMbIn(readFileSync(`/proc/${pid}/statm`, 'latin1')) ?? 0;
  } catch {
    return 0; // It has ended.
  }
}

function cpuMsOf(pid: number, places: readonly number[]): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, the second field, may hold spaces; the fields are counted behind its parenthesis.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = places.reduce((sum, place) => sum + Number(fields[place]), 0);
    return Number.isFinite(ticks) ? ticks * clockTickMs : null;
  } catch {
    return null;
  }
}

/** Children, their children, and so on; those alone that live. */
function descendantsOf(pid: number): number[] {
  const found: number[] = [];
  const open = [pid];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const child of childrenOf(next)) {
      if (found.length >= limits.sandboxTasksMax) return found;
      found.push(child);
      open.push(child);
    }
  }
  return found;
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1')
        .split(' ')
        .filter(Boolean)
        .map(Number),
    );
  } catch {
    return [];
  }
}
