/**
 * Watches one running sandbox process from outside: the wall clock and, on
 * Linux, resident memory and processor time. It trusts nothing the process
 * says about itself.
 */
import { limits } from '../kernel/limits.ts';
import { ProcessProbe } from './memory-probe.ts';

export type Violation = 'timeout' | 'memory' | 'cpu';

export interface WatchdogOptions {
  readonly pid: number;
  /** Whether what the process starts is watched with it. */
  readonly descendants?: boolean;
  /** Resident memory of the idle process, MiB. */
  readonly baselineMb: number;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  /** Processor time of all threads. */
  readonly cpuMs: number;
  /** Called once, at the first violation. */
  readonly onViolation: (violation: Violation) => void;
}

/** What the watched process used, as far as it can be seen from outside. */
export interface Observed {
  readonly wallMs: number;
  readonly cpuMs: number | null;
  /** Most resident memory above the baseline, MiB. */
  readonly memoryMb: number;
}

/** Starts to watch; `stop` ends it and tells what was seen. Stopping twice is harmless. */
export function watchProcess(options: WatchdogOptions): { stop(): Observed } {
  const { baselineMb, memoryMb } = options;
  const probe = new ProcessProbe(options.pid, { descendants: options.descendants ?? false });
  const startedMs = performance.now();
  const startedCpuMs = probe.cpuMs();
  // An isolate near its limit fragments, and V8 keeps room to collect: a quarter and a fixed slack.
  const residentMbMax = baselineMb + memoryMb * 1.25 + limits.sandboxMemorySlackMb;
  let peakMb = baselineMb;
  let observed: Observed | null = null;

  const usedCpuMs = (): number | null => {
    const cpuMs = probe.cpuMs();
    return cpuMs === null || startedCpuMs === null ? null : cpuMs - startedCpuMs;
  };
  const look = (): void => {
    const residentMb = probe.residentMb();
    if (residentMb === null) return;
    peakMb = Math.max(peakMb, residentMb);
    if (residentMb > residentMbMax) violate('memory');
    else if ((usedCpuMs() ?? 0) > options.cpuMs) violate('cpu');
  };
  const violate = (violation: Violation): void => {
    clearInterval(interval);
    clearTimeout(timer);
    options.onViolation(violation);
  };
  const interval = setInterval(look, limits.sandboxWatchMs);
  const timer = setTimeout(() => violate('timeout'), options.timeoutMs);

  return {
    stop(): Observed {
      if (observed !== null) return observed;
      clearInterval(interval);
      clearTimeout(timer);
      const residentMb = probe.residentMb();
      if (residentMb !== null) peakMb = Math.max(peakMb, residentMb);
      const cpuMs = usedCpuMs();
      probe.close();
      observed = { wallMs: performance.now() - startedMs, cpuMs, memoryMb: peakMb - baselineMb };
      return observed;
    },
  };
}
