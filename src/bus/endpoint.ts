/**
 * A thread's place on the bus: it sends to every thread's inbox and drains its
 * own. No thread waits here for another thread's inbox; what does not fit goes
 * to a bounded outbox, and what does not fit there is refused to the caller.
 *
 * An endpoint belongs to the thread that opened it.
 *
 * Invariants
 *   E1. Frames from one thread to one other arrive in the order of `send`.
 *   E2. A damaged frame is counted and skipped; a handler that throws loses
 *       its own message only.
 *   E3. While frames wait in the outbox, something will flush them: the next
 *       drain, a shortened sleep, or a timer on an event loop.
 */
import type { MessagePort } from 'node:worker_threads';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { hear, ring } from './doorbell.ts';
import type { BusMessage, EncodedMessage } from './frame.ts';
import { encodeMessage, frameLength, readFrame, writeFrame } from './frame.ts';
import { ManyToOneRingBuffer } from './many-to-one-ring-buffer.ts';
import { Outbox, OutboxQueue } from './outbox.ts';
import { refusedClaim } from './ring-buffer.ts';
import type { ThreadId } from './thread-id.ts';
import type { EndpointSpec } from './topology.ts';

export type { BusMessage } from './frame.ts';
export type { ThreadId } from './thread-id.ts';
export { threadId } from './thread-id.ts';
export type { BusSeat, EndpointSpec, ThreadSpec } from './topology.ts';
export { createBus } from './topology.ts';

/** The only type of record that an inbox holds. */
const frameType = 1;

/** Node.js fires longer timers at once. */
const longestTimerMs = 2 ** 31 - 1;

type BusHandler = (message: BusMessage) => void;

interface Peer {
  readonly inbox: ManyToOneRingBuffer;
  readonly ringer: MessagePort | null;
  readonly queue: OutboxQueue;
}

/** What an endpoint did since it was opened, and what waits now. */
export interface EndpointStatistics {
  /** Bytes in this thread's inbox. */
  readonly depthBytes: number;
  /** Frames in this thread's outbox. */
  readonly outboxFrames: number;
  /** Frames accepted, published or waiting. */
  readonly sent: number;
  /** Of them, frames that had to wait in the outbox. */
  readonly deferred: number;
  /** Frames that `send` or `offer` refused. */
  readonly refused: number;
  /** Messages handed to the handler. */
  readonly received: number;
  /** Damaged frames skipped. */
  readonly corrupt: number;
}

export class Endpoint {
  readonly self: ThreadId;
  readonly #waits: EndpointSpec['waits'];
  readonly #listeners: readonly MessagePort[];
  readonly #peers: ReadonlyMap<ThreadId, Peer>;
  readonly #inbox: ManyToOneRingBuffer;
  readonly #outbox: Outbox;
  #sent = 0;
  #deferred = 0;
  #refused = 0;
  #received = 0;
  #corrupt = 0;
  #closed = false;
  #handler: BusHandler | null = null;
  #keepAlive: NodeJS.Timeout | null = null;
  #retry: NodeJS.Timeout | null = null;
  #slice: NodeJS.Immediate | null = null;

  constructor(spec: EndpointSpec) {
    this.self = spec.self;
    this.#waits = spec.waits;
    this.#listeners = spec.listeners;
    this.#peers = new Map(
      spec.peers.map(({ id, inbox, ringer }) => [
        id,
        { inbox: new ManyToOneRingBuffer(inbox), ringer, queue: new OutboxQueue() },
      ]),
    );
    this.#inbox = this.#peer(spec.self).inbox;
    this.#outbox = new Outbox({
      framesMax: limits.outboxFramesMax,
      bytesMax: limits.outboxBytesMax,
    });
  }

  /**
   * Publishes a message, or queues it while its inbox is full (E1). False
   * when the outbox is full too: nothing was sent. A `body` that is a
   * Uint8Array travels as it is, anything else through the codec. `topic` is
   * 0 to 65,535, `correlation` 0 to 2^32 − 1.
   * @throws RuntimeError BUS_MESSAGE_TOO_LARGE
   */
  send(to: ThreadId, topic: number, body: unknown, correlation = 0): boolean {
    const peer = this.#peer(to);
    const message = encodeMessage({ topic, from: this.self, correlation, body });
    if (peer.queue.length === 0 && this.#tryPublish(peer, message)) {
      this.#sent += 1;
      return true;
    }
    peer.inbox.checkLength(frameLength(message)); // An outbox may not hide what can never leave.
    if (this.#outbox.isFull) {
      this.#refused += 1;
      return false;
    }
    // The caller may change its bytes later; encoded ones are nobody else's.
    const kept = message.plainBody ? { ...message, body: Buffer.from(message.body) } : message;
    this.#outbox.push(peer.queue, kept);
    this.#sent += 1;
    this.#deferred += 1;
    this.#armRetry();
    return true;
  }

  /**
   * Publishes a message if there is room at once; false when it was shed. It
   * never overtakes frames that wait in the outbox.
   * @throws RuntimeError BUS_MESSAGE_TOO_LARGE
   */
  offer(to: ThreadId, topic: number, body: unknown): boolean {
    const peer = this.#peer(to);
    const message = encodeMessage({ topic, from: this.self, correlation: 0, body });
    if (peer.queue.length === 0 && this.#tryPublish(peer, message)) {
      this.#sent += 1;
      return true;
    }
    this.#refused += 1;
    return false;
  }

  /**
   * How many messages `send` will surely accept, over all destinations. It is 0
   * while `limits.outboxBytesMax` bytes wait, although `send` would accept more.
   */
  outboxRoom(): number {
    return this.#outbox.room;
  }

  /** Publishes what waits in the outbox as far as it fits; true when nothing is left. */
  flush(): boolean {
    if (this.#outbox.frames === 0) return true;
    for (const peer of this.#peers.values()) {
      this.#outbox.flush(peer.queue, (message) => this.#tryPublish(peer, message));
    }
    return this.#outbox.frames === 0;
  }

  /**
   * Flushes, then hands up to `limit` messages of the inbox to the handler.
   * Returns how many frames were taken, damaged ones included (E2).
   */
  drain(handler: BusHandler, limit: number = limits.drainFramesMax): number {
    this.flush();
    return this.#inbox.drain((_type, bytes, offset, lengthBytes) => {
      const message = this.#tryRead(bytes, offset, lengthBytes);
      if (message !== null && !this.#closed) handler(message);
    }, limit);
  }

  /**
   * Stands still until there is mail or `timeoutMs` passed, at most
   * `limits.outboxRetryMs` while frames wait in the outbox (E3). Only for
   * threads that wait by `atomics`.
   */
  park(timeoutMs: number): void {
    assert(this.#waits === 'atomics', 'a thread with an event loop listens instead of parking');
    const idle = this.#outbox.frames === 0;
    this.#inbox.park(idle ? timeoutMs : Math.min(timeoutMs, limits.outboxRetryMs));
  }

  /**
   * Hands every message to the handler, in slices with a turn of the event
   * loop between them, and keeps the process alive until `close`. Only for
   * threads that wait in their `event-loop`, once.
   */
  listen(handler: BusHandler): void {
    assert(this.#waits === 'event-loop', 'a thread without an event loop parks and drains');
    assert(
      this.#handler === null && !this.#closed,
      'an endpoint listens once, before it is closed',
    );
    this.#handler = handler;
    // Doorbells do not suffice: their ports close when the threads behind them end.
    this.#keepAlive = setInterval(() => undefined, longestTimerMs);
    hear(this.#listeners, this.#scheduleSlice);
    this.#scheduleSlice();
  }

  /** Leaves the bus: no more handler calls. Frames still in the outbox are given up, so `flush` first. */
  close(): void {
    this.#closed = true;
    if (this.#keepAlive !== null) clearInterval(this.#keepAlive);
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (this.#slice !== null) clearImmediate(this.#slice);
    for (const listener of this.#listeners) listener.close();
    for (const { ringer } of this.#peers.values()) ringer?.close();
  }

  statistics(): EndpointStatistics {
    return {
      depthBytes: this.#inbox.depthBytes(),
      outboxFrames: this.#outbox.frames,
      sent: this.#sent,
      deferred: this.#deferred,
      refused: this.#refused,
      received: this.#received,
      corrupt: this.#corrupt,
    };
  }

  #peer(id: ThreadId): Peer {
    const peer = this.#peers.get(id);
    assert(peer !== undefined, `no thread ${id} on this bus`);
    return peer;
  }

  #tryPublish(peer: Peer, message: EncodedMessage): boolean {
    const index = peer.inbox.tryClaim(frameType, frameLength(message));
    if (index === refusedClaim) return false;
    try {
      writeFrame(message, peer.inbox.bytes, index);
    } catch (error) {
      // Only an exhausted stack gets here; an open claim would stall the inbox for ever.
      peer.inbox.abort(index);
      throw error;
    }
    peer.inbox.commit(index);
    if (peer.inbox.wake()) {
      if (peer.ringer === null) this.#scheduleSlice();
      else ring(peer.ringer);
    }
    return true;
  }

  #tryRead(bytes: Buffer, offset: number, lengthBytes: number): BusMessage | null {
    try {
      const message = readFrame(bytes, offset, lengthBytes);
      this.#received += 1;
      return message;
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      this.#corrupt += 1; // (E2)
      return null;
    }
  }

  /** One slice after the current turn of the event loop; one at a time. */
  readonly #scheduleSlice = (): void => {
    if (this.#closed || this.#slice !== null) return;
    this.#slice = setImmediate(this.#runSlice);
  };

  readonly #runSlice = (): void => {
    this.#slice = null;
    const handler = this.#handler;
    assert(handler !== null, 'slices run for a listener');
    try {
      this.drain(handler);
    } finally {
      // Mail that is there already gets the next slice; later mail rings.
      if (!this.#closed && !this.#inbox.tryListen()) this.#scheduleSlice();
    }
  };

  /** Event loops retry by a timer (E3); the others when they drain or park. */
  #armRetry(): void {
    if (this.#waits !== 'event-loop' || this.#retry !== null || this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      if (!this.flush()) this.#armRetry();
    }, limits.outboxRetryMs);
  }
}

/** Opens this thread's seat on the bus, once. */
export function openEndpoint(spec: EndpointSpec): Endpoint {
  return new Endpoint(spec);
}
