/**
 * How a serving process ends: the first signal stops it cleanly within
 * limits.shutdownMsMax, a second one at once; a failed runtime ends it too.
 * The journal makes every way safe; the clean one only leaves less to recover.
 */
import { type Clock, systemClock } from '../kernel/clock.ts';
import { exitStatus } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { Io } from './io.ts';
import type { Output } from './output.ts';

/**
 * One Ctrl-C may arrive more than once: from the terminal, and again from npm
 * or another parent that passes signals on.
 */
const sameSignalMsMax = 500;

export class StopSwitch {
  /** Resolves at the first signal; rejects when the runtime fails. */
  readonly requested: Promise<'stop'>;
  fail: (error: unknown) => void = () => undefined;
  readonly release: () => void;
  readonly #output: Output;

  constructor(io: Io, output: Output, clock: Clock = systemClock) {
    this.#output = output;
    let request = (): void => undefined;
    this.requested = new Promise((resolve, reject) => {
      request = () => resolve('stop');
      this.fail = reject;
    });
    // Whoever waits sees the rejection; nobody may be waiting yet.
    this.requested.catch(() => undefined);
    let firstAtMs: number | null = null;
    this.release = io.onSignal(() => {
      const now = clock.monotonicMs();
      if (firstAtMs !== null) {
        if (now - firstAtMs < sameSignalMsMax) return;
        process.exit(exitStatus.interrupted);
      }
      firstAtMs = now;
      output.notice('Stopping; press Ctrl-C again to stop at once.');
      request();
    });
  }

  /** Runs `work`, then always `stop` within its time; what `work` throws wins. */
  async guard(work: () => Promise<number>, stop: () => Promise<void>): Promise<number> {
    try {
      return await work();
    } finally {
      const late = setTimeout(() => {
        this.#output.notice('The stop took too long; the next start recovers the rest.');
        process.exit(exitStatus.unexpected);
      }, limits.shutdownMsMax);
      await stop().finally(() => clearTimeout(late));
    }
  }
}
