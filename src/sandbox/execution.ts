/** What is asked of a sandbox whatever the language, and the checks of it. */
import { findNonJson, type Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { type ExecutionLimits, executionLimits, type GivenLimits } from './execution-limits.ts';
import type { OverlayFileSystem } from './overlay-file-system.ts';

/** One script and its limits. What is not given has a default in `limits`. */
export interface Execution {
  readonly source: string;
  /** 1 to limits.sandboxTimeoutMsMax; counts from when a process takes the script. */
  readonly timeoutMs?: number | undefined;
  /** Processor time of all threads, 1 to twice limits.sandboxTimeoutMsMax; twice the time limit by default. */
  readonly cpuMs?: number | undefined;
  /** 8 to limits.sandboxMemoryMbMax. */
  readonly memoryMb?: number | undefined;
  /** What the script is given as input. */
  readonly input?: Json | undefined;
  /** Seed of the script's random numbers, an unsigned 32-bit integer; 0 by default. */
  readonly seed?: number | undefined;
  /** What the script takes for now, milliseconds since the epoch; 0 by default. */
  readonly timeMs?: number | undefined;
  /** What the script may keep, write out and call; what is absent has its default. */
  readonly limits?: GivenLimits | undefined;
  /**
   * The file system of the script, made for this execution with the same
   * limits; an empty one by default. What is in it afterwards is the caller's.
   */
  readonly fileSystem?: OverlayFileSystem | undefined;
  /** Aborting it kills the script or ends its waiting; the outcome is INTENTION_ABORTED. */
  readonly signal?: AbortSignal | undefined;
}

/** An execution as it is carried out: within its bounds, with every default filled in. */
export interface CheckedExecution {
  readonly source: string;
  /** JSON text, or null when there is none. */
  readonly input: string | null;
  readonly timeoutMs: number;
  readonly cpuMs: number;
  readonly memoryMb: number;
  readonly seed: number;
  readonly timeMs: number;
  readonly limits: ExecutionLimits;
}

const sandboxMemoryMbMin = 8;

/** The execution, or what is wrong with it in one sentence. */
export function checkedExecution(execution: Execution): CheckedExecution | string {
  const {
    source,
    timeoutMs = limits.sandboxTimeoutMsDefault,
    cpuMs = 2 * timeoutMs,
    memoryMb = limits.sandboxMemoryMbDefault,
    seed = 0,
    timeMs = 0,
  } = execution;
  if (typeof source !== 'string') return 'The script is not text.';
  if (Buffer.byteLength(source, 'utf8') > limits.sandboxScriptBytesMax) {
    return `The script is larger than ${limits.sandboxScriptBytesMax} bytes; make it smaller.`;
  }
  if (!isWhole(timeoutMs, 1, limits.sandboxTimeoutMsMax)) {
    return `The time limit is a whole number of ms from 1 to ${limits.sandboxTimeoutMsMax}.`;
  }
  if (!isWhole(cpuMs, 1, 2 * limits.sandboxTimeoutMsMax)) {
    return `The limit of processor time is a whole number of ms from 1 to ${2 * limits.sandboxTimeoutMsMax}.`;
  }
  if (!isWhole(memoryMb, sandboxMemoryMbMin, limits.sandboxMemoryMbMax)) {
    return `The memory limit is a whole number of MiB from ${sandboxMemoryMbMin} to ${limits.sandboxMemoryMbMax}.`;
  }
  if (!isWhole(seed, 0, 0xffff_ffff)) return 'The seed is a whole number from 0 to 4294967295.';
  if (!isWhole(timeMs, -8.64e15, 8.64e15)) return 'The time is not a whole number of ms of a date.';
  const own = executionLimits(execution.limits);
  if (typeof own === 'string') return own;
  const checked = { source, timeoutMs, cpuMs, memoryMb, seed, timeMs, limits: own };
  if (execution.input === undefined) return { ...checked, input: null };
  if (findNonJson(execution.input) !== null) return 'The input of the script is not plain JSON.';
  const input = JSON.stringify(execution.input);
  if (Buffer.byteLength(input, 'utf8') > limits.sandboxInputBytesMax) {
    return `The input of the script is larger than ${limits.sandboxInputBytesMax} bytes of JSON.`;
  }
  return { ...checked, input };
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
}
