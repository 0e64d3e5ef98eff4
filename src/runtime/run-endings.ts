/** Who waits for the end of which run. */
import type { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import type { RunView } from './views.ts';

interface Waiter {
  readonly resolve: (view: RunView) => void;
  readonly reject: (reason: unknown) => void;
}

export class RunEndings {
  readonly #waiting = new Map<RunId, Set<Waiter>>();

  /** How many wait. */
  get size(): number {
    return this.#waiting.values().reduce((sum, waiters) => sum + waiters.size, 0);
  }

  /**
   * Resolves when the run ends. Once the signal is aborted nothing here refers
   * to the caller any more; the promise then rejects with the signal's reason.
   */
  async wait(run: RunId, signal?: AbortSignal): Promise<RunView> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<RunView>();
    const waiter: Waiter = { resolve, reject };
    const onAbort = (): void => {
      this.#forget(run, waiter);
      reject(signal?.reason);
    };
    this.#waiting.set(run, (this.#waiting.get(run) ?? new Set()).add(waiter));
    signal?.addEventListener('abort', onAbort, { once: true });
    return promise.finally(() => signal?.removeEventListener('abort', onAbort));
  }

  resolve(run: RunId, view: RunView): void {
    for (const waiter of this.#waiting.get(run) ?? []) waiter.resolve(view);
    this.#waiting.delete(run);
  }

  /** Nobody will hear of any run again. */
  fail(error: RuntimeError): void {
    for (const waiters of this.#waiting.values()) {
      for (const waiter of waiters) waiter.reject(error);
    }
    this.#waiting.clear();
  }

  #forget(run: RunId, waiter: Waiter): void {
    const waiters = this.#waiting.get(run);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiting.delete(run);
  }
}
