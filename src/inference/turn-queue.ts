/**
 * Serves callers one at a time in the order of their arrival. One sequence of
 * a model that never shares a batch gives the same tokens every time.
 */
import { abortedError } from './time-limit.ts';

export class TurnQueue {
  #last: Promise<void> = Promise.resolve();

  /**
   * Runs `work` when all earlier work is over.
   * @throws RuntimeError INFERENCE_ABORTED when the signal fires before its turn.
   */
  async run<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const before = this.#last;
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    this.#last = over;
    try {
      await untilTurn(before, signal);
    } catch (error) {
      // Those behind still wait for those ahead.
      void before.then(end);
      throw error;
    }
    try {
      return await work();
    } finally {
      end();
    }
  }

  /** Resolves when nothing runs or waits any more. */
  async idle(): Promise<void> {
    await this.#last;
  }
}

async function untilTurn(before: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return before;
  if (signal.aborted) throw abortedError();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(abortedError());
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([before, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
