/**
 * Asks other threads and settles what was asked: by the reply, or at the
 * deadline. In an event loop a timer watches the deadlines; a thread without
 * one calls `expire` before it takes mail and sleeps no longer than `dueInMs`.
 *
 * Invariants
 *   Q1. A request that was not sent is not open.
 *   Q2. One timer watches all deadlines; it is never later than the nearest.
 */
import { assert } from '../kernel/assert.ts';
import type { Clock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { PendingRequests, ReplyHandler } from './requests.ts';
import type { Sender } from './sender.ts';
import type { ThreadId } from './thread-id.ts';
import type { Topic, TopicSpec } from './topic.ts';
import type { TopicTable } from './topic-table.ts';

export interface RequestOptions {
  /** Time for the reply, more than 0 and at most `limits.requestDeadlineMsMax`. */
  readonly deadlineMs: number;
  /** Gives the request up; a reply that still comes is a dead letter. */
  readonly signal?: AbortSignal;
}

export interface AskOptions<Reply> {
  /** As in `RequestOptions`. */
  readonly deadlineMs: number;
  /** Called once, with the error or the reply; before `ask` returns where the thread has ended. */
  readonly onReply: ReplyHandler<Reply>;
}

interface RequesterParts {
  readonly table: TopicTable;
  readonly sender: Sender;
  readonly pending: PendingRequests;
  readonly clock: Clock;
  /** How the thread waits. */
  readonly waits: 'atomics' | 'event-loop';
}

export class Requester {
  readonly #parts: RequesterParts;
  #timer: NodeJS.Timeout | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(parts: RequesterParts) {
    this.#parts = parts;
  }

  /** As `Endpoint.request`. */
  async request<Body, Reply>(
    to: ThreadId,
    topic: Topic<Body, Reply>,
    body: NoInfer<Body>,
    { deadlineMs, signal }: RequestOptions,
  ): Promise<Reply> {
    assert(this.#parts.waits === 'event-loop', 'a thread without an event loop asks');
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const onReply: ReplyHandler = (error, reply) =>
      error === null ? resolve(reply as Reply) : reject(error);
    const correlation = this.tryAsk(to, topic, body, { deadlineMs, onReply });
    if (correlation === null) {
      const message = 'This thread takes no more requests just now.';
      throw new RuntimeError('OUTBOX_FULL', message, { retryable: true });
    }
    const onAbort = (): void => {
      if (this.#parts.pending.giveUp(correlation)) reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Sends a request and returns its correlation, or null when it could not be sent. */
  tryAsk(
    to: ThreadId,
    topic: TopicSpec,
    body: unknown,
    { deadlineMs, onReply }: AskOptions<unknown>,
  ): number | null {
    const { table, sender, pending, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    const [thread, topicIndex] = [table.threadIndex(to), table.topicIndex(topic.id)];
    const correlation = pending.tryOpen(
      { to: thread, topic: topicIndex, deadlineMs, onReply },
      nowMs,
    );
    if (correlation === null) return null;
    let sent = false;
    try {
      sent = sender.send(to, topic, body, { type: 'request', correlation });
    } finally {
      if (!sent) pending.giveUp(correlation); // (Q1)
    }
    if (!sent) return null;
    // Its end was noticed before, so nobody else will fail this request.
    if (sender.hasEnded(thread)) pending.threadEnded(thread);
    this.#watch(nowMs);
    return correlation;
  }

  /** Fails the requests that are due. */
  expire(): void {
    const { pending, clock } = this.#parts;
    if (pending.size > 0) pending.expire(clock.monotonicMs());
  }

  /** Time until a request may be due, 0 or more; infinite when none is open. */
  dueInMs(): number {
    const { pending, clock } = this.#parts;
    if (pending.size === 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, pending.nearestMs() - clock.monotonicMs());
  }

  /** Fails every open request. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#parts.pending.close();
  }

  #watch(nowMs: number): void {
    const nearestMs = this.#parts.pending.nearestMs();
    const isWatched = nearestMs >= this.#timerAtMs;
    if (this.#parts.waits !== 'event-loop' || this.#closed || isWatched) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerAtMs = nearestMs; // (Q2)
    // A process that only waits for a reply is kept alive by its listening.
    // Rounded up, the longest deadline is more than a timer takes, which would fire at once.
    const delayMs = Math.min(Math.ceil(nearestMs - nowMs), limits.requestDeadlineMsMax);
    this.#timer = setTimeout(this.#onTimer, Math.max(0, delayMs)).unref();
  }

  readonly #onTimer = (): void => {
    const { pending, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    pending.expire(nowMs);
    if (Number.isFinite(pending.nearestMs())) this.#watch(nowMs);
  };
}
