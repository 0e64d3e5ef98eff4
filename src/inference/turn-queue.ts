/**
 * Serves a few callers at once, and those who wait in turns: each key has a
 * line of its own, and the lines are served round robin. So a single question
 * beside a run with hundreds of generations waits for one of them, not for all.
 *
 * Invariants
 *   T1. Within a key, first come, first served.
 *   T2. The first in a line waits at most for the first end of a running caller and
 *       one caller of each other key.
 *   T3. At most limits.actuatorQueueMax callers wait; one more is refused.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { abortedError } from './time-limit.ts';

/** Gives the turn to a caller who waits. */
type Start = () => void;

export interface TurnOptions {
  /** Whose line to stand in; callers without a key share one. */
  readonly key?: string | undefined;
  /** Leaves the line; it does not stop work that has its turn. */
  readonly signal?: AbortSignal | undefined;
}

export class TurnQueue {
  /** No line is empty; the first in the map is served next (T2). */
  readonly #lines = new Map<string | undefined, Set<Start>>();
  readonly #servedMax: number;
  #waiting = 0;
  #served = 0;
  #idle: PromiseWithResolvers<void> | null = null;

  /** @param servedMax Callers at once. */
  constructor(servedMax = 1) {
    this.#servedMax = servedMax;
  }

  /**
   * Runs `work` when its turn has come.
   * @throws RuntimeError INFERENCE_ABORTED when the signal fires before its turn,
   *   ACTUATOR_BUSY when too many wait.
   */
  async run<T>(work: () => Promise<T>, { key, signal }: TurnOptions = {}): Promise<T> {
    if (signal?.aborted) throw abortedError();
    if (this.#served < this.#servedMax) this.#served += 1;
    else await this.#turn(key, signal);
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  /** Resolves when nothing runs or waits any more. */
  async idle(): Promise<void> {
    if (this.#served === 0) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }

  async #turn(key: string | undefined, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting >= limits.actuatorQueueMax) {
      throw new RuntimeError(
        'ACTUATOR_BUSY',
        'Too many generations wait for the model; start fewer runs at once.',
        { retryable: true },
      ); // (T3)
    }
    const { promise, resolve: start, reject } = Promise.withResolvers<void>();
    const line = this.#lines.get(key) ?? new Set();
    this.#lines.set(key, line.add(start));
    this.#waiting += 1;
    // Whoever has the turn must not lose it here, or nobody would pass it on.
    const leave = (): void => {
      if (this.#remove(key, start)) reject(abortedError());
    };
    signal?.addEventListener('abort', leave, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  /** Passes the turn on. */
  #next(): void {
    const first = this.#lines.entries().next().value;
    if (first === undefined) {
      assert(this.#waiting === 0, 'who waits stands in a line');
      this.#served -= 1;
      if (this.#served > 0) return;
      this.#idle?.resolve();
      this.#idle = null;
      return;
    }
    const [key, line] = first;
    const [start] = line;
    assert(start !== undefined, 'no line is empty');
    this.#remove(key, start); // (T1)
    // The rest of the line goes behind the other lines (T2).
    if (this.#lines.delete(key)) this.#lines.set(key, line);
    start();
  }

  /** Takes a caller out of its line; false when it has left already. */
  #remove(key: string | undefined, start: Start): boolean {
    const line = this.#lines.get(key);
    if (line?.delete(start) !== true) return false;
    if (line.size === 0) this.#lines.delete(key);
    this.#waiting -= 1;
    return true;
  }
}
