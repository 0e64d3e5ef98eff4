/**
 * Requests of one thread that wait for their replies, each with a deadline.
 * It reads no clock and sets no timer: the thread says what time it is, in its
 * event loop or between two drains.
 *
 * Invariants
 *   Q1. Every request that was opened is settled exactly once: by its reply,
 *       its deadline, the end of the thread that was asked, or being given up.
 *   Q2. A reply settles a request only if it comes from the thread that was
 *       asked, on the topic of the request.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

/** Called once, with the error or with the body of the reply. */
export type ReplyHandler<Reply = unknown> = (
  error: RuntimeError | null,
  reply: Reply | null,
) => void;

/** What a request is known by when its reply comes. */
export interface RequestSpec {
  /** Indexes of the thread that is asked and of the topic. */
  readonly to: number;
  readonly topic: number;
  readonly deadlineMs: number;
  readonly onReply: ReplyHandler;
}

interface Pending extends RequestSpec {
  readonly dueMs: number;
}

const correlationMax = 2 ** 32 - 1;
const never = Number.POSITIVE_INFINITY;

export class PendingRequests {
  readonly #pending = new Map<number, Pending>();
  #lastCorrelation = 0;
  /** No request is due before; it may be earlier than the first, never later. */
  #nearestMs = never;

  get size(): number {
    return this.#pending.size;
  }

  /**
   * Opens a request at `nowMs` and returns its correlation, 1 to 2^32 − 1, or
   * null while `limits.busRequestsMax` wait. `deadlineMs` is a time from now,
   * more than 0 and at most `limits.requestDeadlineMsMax`.
   */
  tryOpen(spec: RequestSpec, nowMs: number): number | null {
    const { deadlineMs } = spec;
    assert(
      deadlineMs > 0 && deadlineMs <= limits.requestDeadlineMsMax,
      `not a deadline: ${deadlineMs} ms`,
    );
    if (this.#pending.size >= limits.busRequestsMax) return null;
    const dueMs = nowMs + deadlineMs;
    const correlation = this.#nextCorrelation();
    this.#pending.set(correlation, { ...spec, dueMs });
    this.#nearestMs = Math.min(this.#nearestMs, dueMs);
    return correlation;
  }

  /** Takes the request that a reply answers off the list (Q1); null when there is none (Q2). */
  take(
    correlation: number,
    { from, topic }: { readonly from: number; readonly topic: number },
  ): ReplyHandler | null {
    const pending = this.#pending.get(correlation);
    if (pending === undefined || pending.to !== from || pending.topic !== topic) return null;
    this.#pending.delete(correlation);
    return pending.onReply;
  }

  /** Forgets a request, whose handler is not called; false when it was settled. */
  giveUp(correlation: number): boolean {
    return this.#pending.delete(correlation);
  }

  /** Fails every request that is due at `nowMs`. */
  expire(nowMs: number): void {
    if (nowMs < this.#nearestMs) return;
    // One look at all of them finds the next due time exactly, so the looks are few.
    this.#failWhere(
      ({ dueMs }) => dueMs <= nowMs,
      ({ deadlineMs }) =>
        new RuntimeError('BUS_REQUEST_EXPIRED', `No reply came within ${deadlineMs} ms.`, {
          retryable: true,
        }),
    );
  }

  /** Fails every request to a thread that has ended. */
  threadEnded(thread: number): void {
    this.#failWhere(
      ({ to }) => to === thread,
      () => new RuntimeError('BUS_THREAD_ENDED', 'The thread that was asked has ended.'),
    );
  }

  /** Fails all of them: this thread leaves the bus. */
  close(): void {
    this.#failWhere(
      () => true,
      () => new RuntimeError('BUS_CLOSED', 'This thread left the bus before the reply.'),
    );
  }

  /** When `expire` has something to look at, on the clock of `tryOpen`; infinite when nothing waits. */
  nearestMs(): number {
    return this.#nearestMs;
  }

  #failWhere(isHit: (pending: Pending) => boolean, errorOf: (pending: Pending) => RuntimeError) {
    const hits: Pending[] = [];
    let nearestMs = never;
    for (const [correlation, pending] of this.#pending) {
      if (isHit(pending)) {
        this.#pending.delete(correlation);
        hits.push(pending);
      } else nearestMs = Math.min(nearestMs, pending.dueMs);
    }
    this.#nearestMs = nearestMs;
    // The list is in order before foreign code runs, which may open new requests.
    for (const pending of hits) pending.onReply(errorOf(pending), null);
  }

  #nextCorrelation(): number {
    do {
      this.#lastCorrelation =
        this.#lastCorrelation === correlationMax ? 1 : this.#lastCorrelation + 1;
    } while (this.#pending.has(this.#lastCorrelation));
    return this.#lastCorrelation;
  }
}
