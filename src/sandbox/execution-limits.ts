/** Limits of one execution besides time and memory; each has a default and a ceiling in `limits`. */
import { limits } from '../kernel/limits.ts';

/** What a script may keep in its file system. */
export interface FileLimits {
  /** Files and folders that it makes. */
  readonly files: number;
  /** Bytes of one file. */
  readonly fileBytes: number;
  /** Bytes of everything that it writes. */
  readonly totalBytes: number;
  /** Bytes of the files that leave. */
  readonly outputBytes: number;
  /** Bytes of one call, there or back. */
  readonly messageBytes: number;
}

export interface ExecutionLimits extends FileLimits {
  /** Calls of `fs` and `tools` together. */
  readonly calls: number;
}

interface Bound {
  readonly least: number;
  readonly most: number;
  readonly standard: number;
}

/** Range and default of each limit, for whoever parses them. */
export const executionBounds: Readonly<Record<keyof ExecutionLimits, Bound>> = {
  files: { least: 0, most: limits.sandboxFilesMax, standard: limits.sandboxFilesDefault },
  fileBytes: {
    least: 0,
    most: limits.sandboxFileBytesMax,
    standard: limits.sandboxFileBytesDefault,
  },
  totalBytes: {
    least: 0,
    most: limits.sandboxTotalBytesMax,
    standard: limits.sandboxTotalBytesDefault,
  },
  outputBytes: {
    least: 0,
    most: limits.sandboxOutputBytesMax,
    standard: limits.sandboxOutputBytesDefault,
  },
  messageBytes: {
    least: 1_024,
    most: limits.sandboxMessageBytesMax,
    standard: limits.sandboxMessageBytesDefault,
  },
  calls: { least: 0, most: limits.sandboxCallsMax, standard: limits.sandboxCallsDefault },
};

/** Limits that a caller gives; what is absent has its default. */
export type GivenLimits = {
  readonly [name in keyof ExecutionLimits]?: number | undefined;
};

/** All limits of an execution, or what is wrong with a given one in one sentence. */
export function executionLimits(given: GivenLimits = {}): ExecutionLimits | string {
  const found: Record<string, number> = {};
  for (const [name, { least, most, standard }] of Object.entries(executionBounds)) {
    const value = given[name as keyof ExecutionLimits] ?? standard;
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      return `The limit ${name} is a whole number from ${least} to ${most}.`;
    }
    found[name] = value;
  }
  return found as unknown as ExecutionLimits;
}
