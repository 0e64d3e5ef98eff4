/**
 * Waits for the journal in a thread with an event loop.
 *
 * Invariants
 *   W1. A waiter is released only by a durable position at or above its own.
 *   W2. Once the journal has failed, every present and later waiter is refused.
 */
import type { JournalPosition } from '../journal/record.ts';
import type { RuntimeError } from '../kernel/errors.ts';
import type { DurableNotice } from './journal-worker/protocol.ts';

interface Waiter {
  readonly position: number;
  readonly resolve: () => void;
  readonly reject: (error: RuntimeError) => void;
}

export class DurableWaiters {
  #position = 0;
  #end: JournalPosition | null = null;
  #failure: RuntimeError | null = null;
  #waiters: Waiter[] = [];

  /** Durable end of the journal's files, as far as this thread has heard. */
  get end(): JournalPosition | undefined {
    return this.#end ?? undefined;
  }

  advance(notice: DurableNotice): void {
    if (notice.position < this.#position) return;
    this.#position = notice.position;
    this.#end = { segment: notice.segment, offset: notice.offset };
    const released = this.#waiters.filter((waiter) => waiter.position <= this.#position); // (W1)
    if (released.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.position > this.#position);
    for (const waiter of released) waiter.resolve();
  }

  fail(error: RuntimeError): void {
    this.#failure = error;
    for (const waiter of this.#waiters) waiter.reject(error); // (W2)
    this.#waiters = [];
  }

  /** @throws RuntimeError JOURNAL_FAILED, DISK_FULL */
  whenDurable(position: number): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (position <= this.#position) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ position, resolve, reject });
    });
  }
}
