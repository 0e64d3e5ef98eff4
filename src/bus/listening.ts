/**
 * Waiting for mail in an event loop: a slice of the inbox for each ring of the
 * doorbell, with a turn of the event loop between two slices, so that timers
 * and I/O have theirs.
 *
 * Invariants
 *   E1. At most one slice is due at a time.
 *   E2. It asks for a doorbell only after a slice that left the inbox empty;
 *       mail that is there gets the next slice without one.
 *   E3. While it is blocked it neither takes mail nor turns in circles; `nudge`
 *       lets it go on.
 */
import type { MessagePort } from 'node:worker_threads';
import { hear } from './doorbell.ts';

/** Node.js fires longer timers at once. */
const longestTimerMs = 2 ** 31 - 1;

export interface ListeningParts {
  readonly listeners: readonly MessagePort[];
  /** Takes a bounded slice of the mail. */
  readonly drain: () => void;
  /** Asks for a doorbell; false when there is mail. */
  readonly tryListen: () => boolean;
  /** Whether the next slice would take nothing although there may be mail. */
  readonly isBlocked: () => boolean;
  /** The doorbell rang. */
  readonly onWake: () => void;
}

export class Listening {
  readonly #parts: ListeningParts;
  readonly #keepAlive: NodeJS.Timeout;
  #slice: NodeJS.Immediate | null = null;
  #closed = false;

  /** Begins at once, and keeps the process alive until `close`. */
  constructor(parts: ListeningParts) {
    this.#parts = parts;
    // Doorbells do not suffice: their ports close when the threads behind them end.
    this.#keepAlive = setInterval(() => undefined, longestTimerMs);
    hear(parts.listeners, () => {
      parts.onWake();
      this.nudge();
    });
    this.nudge();
  }

  /** A slice after the current turn of the event loop (E1). */
  nudge(): void {
    if (this.#closed || this.#slice !== null) return;
    this.#slice = setImmediate(this.#runSlice);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#keepAlive);
    if (this.#slice !== null) clearImmediate(this.#slice);
  }

  readonly #runSlice = (): void => {
    this.#slice = null;
    try {
      this.#parts.drain();
    } finally {
      this.#rest();
    }
  };

  #rest(): void {
    if (this.#closed || this.#parts.isBlocked()) return; // (E3)
    if (!this.#parts.tryListen()) this.nudge(); // (E2)
  }
}
