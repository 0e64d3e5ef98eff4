/**
 * Waiting as an operation: an actor has no timers, it asks to be woken at an
 * absolute time.
 */
import type { Clock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { type Actuator, operation } from './actuator.ts';
import { operationArguments } from './operation-arguments.ts';

/** Calls back once after a delay; the returned function calls it off. */
export type Timer = (delayMs: number, callback: () => void) => () => void;

const systemTimer: Timer = (delayMs, callback) => {
  const timeout = setTimeout(callback, delayMs);
  return () => clearTimeout(timeout);
};

/** The longest delay that setTimeout keeps. */
const timerMsMax = 2 ** 31 - 1;

export function clockActuator(timer: Timer = systemTimer): Actuator {
  return {
    name: 'clock',
    concurrency: limits.clockTimersMax,
    operations: {
      wake: operation({
        effect: 'pure',
        arguments: operationArguments['clock.wake'],
        result: operationArguments['clock.wake'],
        async perform({ at }, { clock, signal }) {
          await until({ at, clock, signal, timer });
          return { at };
        },
      }),
    },
  };
}

interface Waiting {
  readonly at: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly timer: Timer;
}

/** Resolves once the clock shows `at`; never earlier, although timers may fire early. */
function until({ at, clock, signal, timer }: Waiting): Promise<void> {
  return new Promise((resolve, reject) => {
    let cancel = (): void => {};
    const onAbort = (): void => {
      cancel();
      reject(new RuntimeError('INTENTION_ABORTED', 'The timer was called off.'));
    };
    const look = (): void => {
      const delayMs = at - clock.nowMs();
      if (delayMs > 0) {
        cancel = timer(Math.min(delayMs, timerMsMax), look);
        return;
      }
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    look();
  });
}
