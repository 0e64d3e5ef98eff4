/**
 * Serves a few callers at once, and those who wait in turns: each key has a
 * line of its own, and the lines are served round robin. So a single question
 * beside a run with hundreds of generations waits for one of them, not for all.
 * Lines of a higher priority are served first, though not for ever.
 *
 * Invariants
 *   T1. Within a key and priority, first come, first served.
 *   T2. Of its priority, the first in a line waits at most for one caller of each other key.
 *   T3. At most limits.actuatorQueueMax callers wait; one more is refused.
 *   T4. A priority at which somebody waits is passed over at most {@link passesMax} times in a row.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { Priority } from './model-port.ts';
import { abortedError } from './time-limit.ts';

const passesMax = 4;

/** Gives the turn to a caller who waits. */
type Start = () => void;

export interface TurnOptions {
  /** Whose line to stand in; callers without a key share one. */
  readonly key?: string | undefined;
  /** 'normal' without it. */
  readonly priority?: Priority | undefined;
  /** Leaves the line; it does not stop work that has its turn. */
  readonly signal?: AbortSignal | undefined;
}

/** The lines of one priority. */
interface Rank {
  /** No line is empty; the first in the map is served next (T2). */
  readonly lines: Map<string | undefined, Set<Start>>;
  passes: number;
}

export class TurnQueue {
  /** The most urgent first. */
  readonly #ranks: Readonly<Record<Priority, Rank>> = {
    high: { lines: new Map(), passes: 0 },
    normal: { lines: new Map(), passes: 0 },
    low: { lines: new Map(), passes: 0 },
  };
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
  async run<T>(work: () => Promise<T>, options: TurnOptions = {}): Promise<T> {
    if (options.signal?.aborted) throw abortedError();
    if (this.#served < this.#servedMax) this.#served += 1;
    else await this.#turn(options);
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

  async #turn({ key, priority = 'normal', signal }: TurnOptions): Promise<void> {
    if (this.#waiting >= limits.actuatorQueueMax) {
      throw new RuntimeError(
        'ACTUATOR_BUSY',
        'Too many generations wait for the model; start fewer runs at once.',
        { retryable: true },
      ); // (T3)
    }
    const { promise, resolve: start, reject } = Promise.withResolvers<void>();
    const rank = this.#ranks[priority];
    const line = rank.lines.get(key) ?? new Set();
    rank.lines.set(key, line.add(start));
    this.#waiting += 1;
    // Whoever has the turn must not lose it here, or nobody would pass it on.
    const leave = (): void => {
      if (this.#remove(rank, { key, start })) reject(abortedError());
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
    const rank = this.#nextRank();
    const first = rank?.lines.entries().next().value;
    if (rank === null || first === undefined) {
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
    this.#remove(rank, { key, start }); // (T1)
    // The rest of the line goes behind the other lines (T2).
    if (rank.lines.delete(key)) rank.lines.set(key, line);
    start();
  }

  /** The most urgent one, unless another was passed over too often (T4). */
  #nextRank(): Rank | null {
    const waiting = Object.values(this.#ranks).filter(({ lines }) => lines.size > 0);
    const next = waiting.find(({ passes }) => passes >= passesMax) ?? waiting[0] ?? null;
    for (const rank of waiting) rank.passes = rank === next ? 0 : rank.passes + 1;
    return next;
  }

  /** Takes a caller out of its line; false when it has left already. */
  #remove({ lines }: Rank, { key, start }: { key: string | undefined; start: Start }): boolean {
    const line = lines.get(key);
    if (line?.delete(start) !== true) return false;
    if (line.size === 0) lines.delete(key);
    this.#waiting -= 1;
    return true;
  }
}
