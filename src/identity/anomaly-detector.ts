/**
 * Tells from what actors do whether one of them behaves as no working actor
 * does: too often refused, or too busy. It sees times and counts, never texts.
 *
 * Invariants
 *   D1. What it says follows from the observations alone, whose times are given.
 *   D2. It holds a bounded number of actors; the longest quiet ones leave.
 */
import { limits } from '../kernel/limits.ts';

export type Observed = 'act' | 'message' | 'refusal';

/** Why an actor is to stand still. */
export interface Anomaly {
  readonly code: 'REPEATED_REFUSALS' | 'RATE_EXCEEDED';
  readonly message: string;
}

interface Window {
  begins: number;
  count: number;
}

type Watched = Record<Observed, Window>;

interface Bound {
  readonly windowMs: number;
  readonly most: number;
  readonly code: Anomaly['code'];
  readonly what: string;
}

const bounds: Readonly<Record<Observed, Bound>> = {
  act: {
    windowMs: 1_000,
    most: limits.actorActsPerSecondMax,
    code: 'RATE_EXCEEDED',
    what: 'external intentions',
  },
  message: {
    windowMs: 1_000,
    most: limits.actorMessagesPerSecondMax,
    code: 'RATE_EXCEEDED',
    what: 'messages',
  },
  refusal: {
    windowMs: limits.actorRefusalWindowMs,
    most: limits.refusalsMax - 1,
    code: 'REPEATED_REFUSALS',
    what: 'refused intentions',
  },
};

export class AnomalyDetector {
  readonly #actors = new Map<string, Watched>();
  readonly #actorsMax: number;

  constructor(options: { readonly actorsMax?: number } = {}) {
    this.#actorsMax = options.actorsMax ?? limits.actorKeysMax;
  }

  /**
   * Counts; answers with what is wrong once a bound is passed.
   * @param actor any name that is one actor's alone @param atMs milliseconds, of one clock
   */
  observe(actor: string, observed: Observed, atMs: number): Anomaly | null {
    const watched = this.#actors.get(actor) ?? newWatched();
    this.#actors.delete(actor);
    this.#actors.set(actor, watched); // Least recently seen first.
    this.#bound();
    const { windowMs, most, code, what } = bounds[observed];
    const window = watched[observed];
    if (atMs - window.begins >= windowMs) {
      window.begins = atMs;
      window.count = 0;
    }
    window.count += 1;
    if (window.count <= most) return null;
    return { code, message: `${window.count} ${what} of it came within ${windowMs} ms.` };
  }

  forget(actor: string): void {
    this.#actors.delete(actor);
  }

  #bound(): void {
    for (const oldest of this.#actors.keys()) {
      if (this.#actors.size <= this.#actorsMax) return;
      this.#actors.delete(oldest); // (D2)
    }
  }
}

function newWatched(): Watched {
  const fresh = (): Window => ({ begins: Number.NEGATIVE_INFINITY, count: 0 });
  return { act: fresh(), message: fresh(), refusal: fresh() };
}
