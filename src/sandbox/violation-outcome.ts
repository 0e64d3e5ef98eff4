/** What is said of a script that passed one of its bounds, in whatever it ran. */
import { failedOutcome, type SandboxOutcome, type SandboxUsage } from './sandbox-outcome.ts';
import type { Violation } from './watchdog.ts';

/** What the script was allowed. */
export interface Bounds {
  readonly timeoutMs: number;
  readonly cpuMs: number;
  readonly memoryMb: number;
}

export function violationOutcome(
  violation: Violation,
  { timeoutMs, cpuMs, memoryMb }: Bounds,
  usage: SandboxUsage,
): SandboxOutcome {
  switch (violation) {
    case 'timeout':
      return failedOutcome(
        'SANDBOX_TIMEOUT',
        `The script ran longer than ${timeoutMs} ms and was killed.`,
        usage,
      );
    case 'cpu':
      return failedOutcome(
        'SANDBOX_CPU',
        `The script used more than ${cpuMs} ms of processor time and was killed.`,
        usage,
      );
    case 'memory':
      return failedOutcome(
        'SANDBOX_MEMORY',
        `The script used more than ${memoryMb} MiB of memory and was killed.`,
        usage,
      );
  }
}
