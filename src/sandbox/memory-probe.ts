/**
 * What another process uses, read from /proc. Elsewhere than on Linux nobody
 * tells without starting a program, so the probe answers null and the caller
 * is left with the wall clock and the isolate's own limit.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const pageBytes = 4_096;
const mebibyte = 1024 * 1024;
/** Unit of the times in /proc/<pid>/stat: Linux shows a hundredth of a second on every platform. */
const clockTickMs = 10;

/** Looks at one process again and again; the file stays open between two looks. */
export class ProcessProbe {
  readonly #pid: number;
  readonly #buffer = Buffer.alloc(256);
  #descriptor: number | null = null;

  constructor(pid: number) {
    this.#pid = pid;
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
      const pages = Number(this.#buffer.toString('latin1', 0, length).split(' ')[1]);
      return Number.isFinite(pages) ? (pages * pageBytes) / mebibyte : null;
    } catch {
      return null;
    }
  }

  /** Processor time since the start of the process in ms, in steps of 10, or null. */
  cpuMs(): number | null {
    if (this.#descriptor === null) return null;
    try {
      const stat = readFileSync(`/proc/${this.#pid}/stat`, 'latin1');
      // The name, the second field, may hold spaces; the fields are counted behind its parenthesis.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = Number(fields[11]) + Number(fields[12]);
      return Number.isFinite(ticks) ? ticks * clockTickMs : null;
    } catch {
      return null;
    }
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}
