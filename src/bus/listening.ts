/**
 * Waiting for mail in an event loop: a slice of the inbox for each ring of the
 * doorbell, with a turn of the event loop between two slices, so that timers
 * and I/O have theirs.
 *
 * A processor that fell asleep takes longer to wake than most answers take to
 * come. So for a short while after mail, and after a question, it looks again
 * at every turn of the event loop before it asks for the doorbell.
 *
 * Invariants
 *   E1. At most one slice is due at a time.
 *   E2. It asks for a doorbell only after a slice that left the inbox empty;
 *       mail that is there gets the next slice without one.
 *   E3. While it is blocked it neither takes mail nor turns in circles; `nudge`
 *       lets it go on.
 *   E4. It looks by itself for at most `limits.listenSpinUsMax` after the last
 *       mail or question: an idle bus costs no time.
 */
import { availableParallelism } from 'node:os';
import type { MessagePort } from 'node:worker_threads';
import { systemClock } from '../kernel/clock.ts';
import { limits } from '../kernel/limits.ts';
import { hear } from './doorbell.ts';

/** Node.js fires longer timers at once. */
const longestTimerMs = 2 ** 31 - 1;

export interface ListeningParts {
  readonly listeners: readonly MessagePort[];
  /** Takes a bounded slice of the mail; answers how much. */
  readonly drain: () => number;
  /** Asks for a doorbell; false when there is mail. */
  readonly tryListen: () => boolean;
  /** Needs no doorbell any more. */
  readonly stopListening: () => void;
  /** Whether the next slice would take nothing although there may be mail. */
  readonly isBlocked: () => boolean;
  /** The doorbell rang. */
  readonly onWake: () => void;
}

/** On one processor nobody could send while this thread looks. */
const spinMs = availableParallelism() > 1 ? limits.listenSpinUsMax / 1_000 : 0;

export class Listening {
  readonly #parts: ListeningParts;
  readonly #keepAlive: NodeJS.Timeout;
  #slice: NodeJS.Immediate | null = null;
  #spinUntilMs = 0;
  #closed = false;

  /** Begins at once, and keeps the process alive until `close`. */
  constructor(parts: ListeningParts) {
    this.#parts = parts;
    // Doorbells do not suffice: their ports close when the threads behind them end.
    this.#keepAlive = setInterval(() => undefined, longestTimerMs);
    hear(parts.listeners, this.#onRing);
    this.nudge();
  }

  /** Hears one more bell, which may have rung before. */
  add(listener: MessagePort): void {
    hear([listener], this.#onRing);
    this.nudge();
  }

  /** A slice after the current turn of the event loop (E1). */
  nudge(): void {
    if (this.#closed || this.#slice !== null) return;
    this.#slice = setImmediate(this.#runSlice);
  }

  /** Mail is to be expected soon. */
  expectMail(): void {
    if (this.#closed || spinMs === 0) return;
    this.#parts.stopListening();
    this.#spinUntilMs = systemClock.monotonicMs() + spinMs;
    this.nudge();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#keepAlive);
    if (this.#slice !== null) clearImmediate(this.#slice);
  }

  readonly #onRing = (): void => {
    this.#parts.onWake();
    this.nudge();
  };

  readonly #runSlice = (): void => {
    this.#slice = null;
    let taken = 1;
    try {
      taken = this.#parts.drain();
    } finally {
      this.#rest(taken);
    }
  };

  #rest(taken: number): void {
    if (this.#closed || this.#parts.isBlocked()) return; // (E3)
    if (this.#mayLookAgain(taken) || !this.#parts.tryListen()) this.nudge(); // (E2)
  }

  /** (E4) */
  #mayLookAgain(taken: number): boolean {
    if (spinMs === 0) return false;
    const nowMs = systemClock.monotonicMs();
    if (taken > 0) this.#spinUntilMs = nowMs + spinMs;
    return nowMs < this.#spinUntilMs;
  }
}
