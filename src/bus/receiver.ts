/**
 * The receiving half of an endpoint: takes frames from the inbox, refuses what
 * does not belong here, and hands the rest to the handlers of their topics.
 *
 * Invariants
 *   Y1. A damaged frame, one that the permission table refuses and one that
 *       nobody handles are counted, described as dead letters and skipped; the
 *       frames behind them are handled.
 *   Y2. The permission table is asked before the body is decoded.
 *   Y3. A handler that throws loses its own message only.
 *   Y4. A slice is bounded by frames and by time, so that a thread looks at
 *       its other work however much mail there is.
 *   Y5. While a topic is handled with reservations, no more frames are taken
 *       than the outbox has places for, and each of them may use one.
 */
import { assert } from '../kernel/assert.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { type ErrorMessage, fromErrorMessage, RuntimeError } from '../kernel/errors.ts';
import type { Arena } from './arena.ts';
import { ArenaReference } from './arena-reference.ts';
import type { ThreadCounters } from './bus-counters.ts';
import { corruptFrame } from './corrupt-frame.ts';
import { copyOfFirst, type DeadLetterReason } from './dead-letters.ts';
import { DrainSlice } from './drain-slice.ts';
import { type FrameHeader, frameHeaderBytes, readBody, readBodyKind, readHeader } from './frame.ts';
import type { Lease } from './lease.ts';
import type { ManyToOneRingBuffer } from './many-to-one-ring-buffer.ts';
import type { PendingRequests } from './requests.ts';
import { Reservation } from './reservation.ts';
import { elapsedUs, nowStampUs } from './send-stamp.ts';
import type { Sender } from './sender.ts';
import type { ThreadId } from './thread-id.ts';
import { notFound, type TopicTable } from './topic-table.ts';

export type Handler<Body = never> = (body: Body, header: FrameHeader) => void;

/** Owns the reservation: it sends the outcome with it, then or later, or releases it. */
export type ReservedHandler<Body = never> = (
  body: Body,
  header: FrameHeader,
  reservation: Reservation,
) => void;

/** Stands for a body that could not be read; null and undefined are bodies. */
const noBody = Symbol('no body');

const halfOfSequences = 2 ** 31;

/** What a frame is and where it lies. */
interface Place {
  readonly bytes: Buffer;
  readonly offset: number;
  readonly lengthBytes: number;
}

export interface ReceiverParts {
  readonly self: { readonly id: ThreadId; readonly index: number };
  readonly table: TopicTable;
  readonly inbox: ManyToOneRingBuffer;
  readonly counters: ThreadCounters;
  readonly sender: Sender;
  readonly requests: PendingRequests;
  readonly arena: Arena | null;
  readonly clock?: Clock;
}

export class Receiver {
  readonly #parts: ReceiverParts;
  readonly #slice: DrainSlice;
  /** By topic index; a topic has one handler of either kind. */
  readonly #handlers: (Handler<unknown> | null)[];
  readonly #reservedHandlers: (ReservedHandler<unknown> | null)[];
  #anyReserved = false;
  /** Sequence of the last frame of each thread. */
  readonly #sequences: Uint32Array;
  /** Places reserved for the batch that is being drained (Y5). */
  #places = 0;
  #draining = false;
  #closed = false;

  constructor(parts: ReceiverParts) {
    this.#parts = parts;
    this.#slice = new DrainSlice(parts.clock ?? systemClock);
    this.#handlers = parts.table.topics.map(() => null);
    this.#reservedHandlers = parts.table.topics.map(() => null);
    this.#sequences = new Uint32Array(parts.table.threads.length);
  }

  /** Sets the handler of a topic, once. */
  handle(topicIndex: number, handler: Handler<unknown>): void {
    assert(!this.#isHandled(topicIndex), 'a topic has one handler');
    this.#handlers[topicIndex] = handler;
  }

  /** Sets the handler of a topic, once, each of whose messages leads to an outcome (Y5). */
  handleReserved(topicIndex: number, handler: ReservedHandler<unknown>): void {
    assert(!this.#isHandled(topicIndex), 'a topic has one handler');
    this.#reservedHandlers[topicIndex] = handler;
    this.#anyReserved = true;
  }

  /** Whether the next drain takes nothing because no place is free for an outcome (Y5). */
  get isBlocked(): boolean {
    return this.#anyReserved && this.#parts.sender.outgoing.outbox.room <= 0;
  }

  /** No handler is called any more. */
  close(): void {
    this.#closed = true;
  }

  /** Handles up to `limit` frames (Y4) and returns how many were taken; 0 inside a handler. */
  drain(limit: number): number {
    if (this.#draining) return 0;
    this.#draining = true;
    this.#parts.counters.depth(this.#parts.inbox.depthBytes());
    try {
      return this.#slice.run(limit, this.#drainBatch); // (Y4)
    } finally {
      this.#draining = false;
    }
  }

  /** Takes up to `frames`, fewer when places for outcomes are short (Y5). */
  readonly #drainBatch = (frames: number): number => {
    if (!this.#anyReserved) return this.#parts.inbox.drain(this.#take, frames);
    const { outgoing } = this.#parts.sender;
    this.#places = Math.min(frames, Math.max(0, outgoing.outbox.room));
    outgoing.outbox.reserve(this.#places);
    try {
      return this.#parts.inbox.drain(this.#take, this.#places);
    } finally {
      outgoing.release(this.#places);
      this.#places = 0;
    }
  };

  readonly #take = (_type: number, bytes: Buffer, offset: number, lengthBytes: number): void => {
    if (this.#closed) return;
    const { table } = this.#parts;
    const place: Place = { bytes, offset, lengthBytes };
    const header = this.#tryReadHeader(place);
    if (header === null) return;
    const topic = table.topicIndex(header.topic);
    const from = table.threadIndex(header.from);
    if (from !== notFound) this.#countMissing(from, header.sequence);
    const isReply = header.type === 'reply' || header.type === 'error-reply';
    const refusal = this.#refusal(topic, from, isReply);
    if (refusal !== null) this.#refuse(refusal, header, topic, place);
    else if (isReply) this.#takeReply(header, { topic, from }, place);
    else this.#takeMessage(header, topic, place);
  };

  #tryReadHeader(place: Place): FrameHeader | null {
    try {
      return readHeader(place.bytes, place.offset, place.lengthBytes);
    } catch (error) {
      this.#corrupt(error, null, notFound, place); // (Y1)
      return null;
    }
  }

  /** Why a frame does not belong here, from its header alone (Y2). */
  #refusal(topic: number, from: number, isReply: boolean): DeadLetterReason | null {
    const { table, self } = this.#parts;
    if (topic === notFound) return 'unknown-topic';
    if (from === notFound) return 'unknown-sender';
    const [asker, answerer] = isReply ? [self.index, from] : [from, self.index];
    if (table.maySend(topic, asker) && table.mayReceive(topic, answerer)) return null;
    this.#parts.counters.denied(topic);
    return 'not-permitted';
  }

  #takeMessage(header: FrameHeader, topic: number, place: Place): void {
    if (!this.#isHandled(topic)) {
      this.#refuse('no-handler', header, topic, place); // (Y1)
      return;
    }
    const body = this.#tryReadBody(header, topic, place);
    if (body === noBody) return;
    this.#received(header, topic, place.lengthBytes);
    const { outgoing } = this.#parts.sender;
    outgoing.cause = header;
    try {
      const handler = this.#handlers[topic];
      if (handler) handler(body, header);
      else this.#reservedHandlers[topic]?.(body, header, this.#reservation());
    } catch (error) {
      this.#parts.counters.handlerFailed();
      throw error; // (Y3): the frame is consumed.
    } finally {
      outgoing.cause = null;
    }
  }

  #takeReply(
    header: FrameHeader,
    { topic, from }: { readonly topic: number; readonly from: number },
    place: Place,
  ): void {
    const onReply = this.#parts.requests.take(header.correlation, { from, topic });
    if (onReply === null) {
      this.#refuse('late-reply', header, topic, place); // (Y1)
      return;
    }
    const body = this.#tryReadBody(header, topic, place);
    if (body !== noBody) this.#received(header, topic, place.lengthBytes);
    const { outgoing } = this.#parts.sender;
    outgoing.cause = header;
    try {
      if (body === noBody) onReply(corruptFrame('a damaged reply'), null);
      else if (header.type === 'reply') onReply(null, body);
      else onReply(errorOf(body), null);
    } catch (error) {
      this.#parts.counters.handlerFailed();
      throw error; // (Y3)
    } finally {
      outgoing.cause = null;
    }
  }

  /** The body; a payload of the arena as a lease that is now this thread's. */
  #tryReadBody(header: FrameHeader, topic: number, place: Place): unknown {
    try {
      const body = readBody(place.bytes, place.offset, place.lengthBytes);
      return body instanceof ArenaReference ? this.#accept(body) : body;
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      if (error.code === 'BUS_FRAME_CORRUPT')
        this.#corrupt(error, header, topic, place); // (Y1)
      else this.#report('stale-payload', error.message, header, topic, place); // (Y1)
      return noBody;
    }
  }

  #isHandled(topic: number): boolean {
    return Boolean(this.#handlers[topic] ?? this.#reservedHandlers[topic]);
  }

  #accept(reference: ArenaReference): Lease {
    const { arena } = this.#parts;
    if (arena === null) throw corruptFrame('a reference to an arena that is not there');
    return arena.accept(reference);
  }

  #received(header: FrameHeader, topic: number, lengthBytes: number): void {
    const { counters } = this.#parts;
    counters.received(topic, lengthBytes);
    if (header.sentAtUs === null) return;
    counters.latency(topic, elapsedUs(header.sentAtUs, nowStampUs()));
  }

  #countMissing(from: number, sequence: number): void {
    const missing = (sequence - (this.#sequences[from] ?? 0) - 1) >>> 0;
    // More than half of the range is a sequence from before, which only a damaged header has.
    if (missing >= halfOfSequences) return;
    this.#sequences[from] = sequence;
    if (missing > 0) this.#parts.counters.missing(missing);
  }

  #reservation(): Reservation {
    assert(this.#places > 0, 'a batch has a place for each of its frames'); // (Y5)
    this.#places -= 1;
    return new Reservation(this.#parts.sender);
  }

  #refuse(reason: DeadLetterReason, header: FrameHeader, topic: number, place: Place): void {
    this.#report(reason, '', header, topic, place);
    this.#freePayload(place);
  }

  /** Nobody else can free the payload of a frame that is not handled. */
  #freePayload({ bytes, offset, lengthBytes }: Place): void {
    if (readBodyKind(bytes, offset) !== 'arena') return;
    try {
      const lease = this.#accept(readBody(bytes, offset, lengthBytes) as ArenaReference);
      lease.release();
    } catch (error) {
      // There is no such payload, so there is nothing to free.
      if (!(error instanceof RuntimeError)) throw error;
    }
  }

  #corrupt(error: unknown, header: FrameHeader | null, topic: number, place: Place): void {
    if (!(error instanceof RuntimeError)) throw error;
    this.#parts.counters.corrupt();
    this.#report('corrupt', error.message, header, topic, place);
  }

  #report(
    reason: DeadLetterReason,
    detail: string,
    header: FrameHeader | null,
    topic: number,
    { bytes, offset, lengthBytes }: Place,
  ): void {
    const start = header === null ? offset : offset + frameHeaderBytes;
    const firstBytes = copyOfFirst(bytes, start, offset + lengthBytes);
    const to = this.#parts.self.id;
    this.#parts.sender.report({ reason, detail, to, header, lengthBytes, firstBytes }, topic);
  }
}

/** The error that an error reply carries, whatever its body really is. */
function errorOf(body: unknown): RuntimeError {
  const said = typeof body === 'object' && body !== null ? (body as Partial<ErrorMessage>) : {};
  const message = typeof said.message === 'string' ? said.message : 'The request failed.';
  const retryable = said.retryable === true;
  return fromErrorMessage({ code: said.code ?? 'INTERNAL', message, retryable });
}
