/**
 * What the bus and the rings beside it are doing, for people and programs: who
 * is busy, what waits, what was refused and how long messages take.
 *
 * The main thread looks once a second, off everybody's hot path, so that
 * whoever asks gets rates at once and need not ask twice.
 *
 * Invariants
 *   B1. The looking never keeps the process alive.
 *   B2. The window of a view is as long as one interval at least, and as two
 *       at most, while the event loop keeps its time. Only right after the
 *       start it is shorter.
 */
import {
  type BusSnapshot,
  type BusSource,
  type BusStatistics,
  busStatistics,
  takeSnapshot,
} from '../bus/bus-statistics.ts';
import type { DeadLetter } from '../bus/dead-letters.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { limits } from '../kernel/limits.ts';

/** A message that nobody handled, as the bus describes it. */
export interface DeadLetterView {
  readonly reason: string;
  /** For people; empty where the reason says all. */
  readonly detail: string;
  /** Names of threads and topics; null where the frame does not tell or nobody has that number. */
  readonly topic: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly reporter: string | null;
  readonly lengthBytes: number;
}

export interface BusView extends BusStatistics {
  readonly deadLetters: {
    readonly total: number;
    /** The latest, oldest first. */
    readonly latest: readonly DeadLetterView[];
  };
}

/** Where the dead letters of the bus are kept. */
interface DeadLetterSource {
  readonly total: number;
  latest(): readonly DeadLetter[];
}

export class BusSampler {
  readonly #source: BusSource;
  readonly #deadLetters: DeadLetterSource;
  readonly #clock: Clock;
  readonly #timer: NodeJS.Timeout;
  /** The one before the latest, and the latest. */
  #older: BusSnapshot;
  #newer: BusSnapshot;

  /** Looks from now on, until `stop`. */
  constructor(source: BusSource, deadLetters: DeadLetterSource, clock: Clock = systemClock) {
    this.#source = source;
    this.#deadLetters = deadLetters;
    this.#clock = clock;
    this.#older = this.#look();
    this.#newer = this.#older;
    this.#timer = setInterval(() => this.#sample(), limits.busSampleMs).unref(); // (B1)
  }

  view(): BusView {
    const now = this.#look();
    const isOld = now.atMs - this.#newer.atMs >= limits.busSampleMs;
    const { total } = this.#deadLetters;
    return {
      ...busStatistics(isOld ? this.#newer : this.#older, now), // (B2)
      deadLetters: {
        total,
        latest: this.#deadLetters.latest().map((letter) => this.#describe(letter)),
      },
    };
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    this.#older = this.#newer;
    this.#newer = this.#look();
  }

  #look(): BusSnapshot {
    return takeSnapshot(this.#source, this.#clock.monotonicMs());
  }

  #describe({ reason, detail, header, to, reporter, lengthBytes }: DeadLetter): DeadLetterView {
    const { threads, topics } = this.#source;
    return {
      reason,
      detail,
      topic: nameOf(topics, header?.topic),
      from: nameOf(threads, header?.from),
      to: nameOf(threads, to),
      reporter: nameOf(threads, reporter),
      lengthBytes,
    };
  }
}

function nameOf(
  named: readonly { readonly id: number; readonly name: string }[],
  id: number | undefined,
): string | null {
  return named.find((candidate) => candidate.id === id)?.name ?? null;
}
