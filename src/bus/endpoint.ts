/**
 * A thread's place on the bus: it sends to every thread's inbox and drains its
 * own. No thread waits here for another thread's inbox; what does not fit goes
 * to a bounded outbox, and what does not fit there is refused to the caller.
 *
 * An endpoint belongs to the thread that opened it.
 *
 * Invariants
 *   E1. Frames from one thread to one other arrive in the order of `send`.
 *   E2. What a topic does not allow is refused to its sender and, should it
 *       come nevertheless, by its receiver.
 *   E3. While frames wait in the outbox, something will flush them: the next
 *       drain, a shortened sleep, or a timer on an event loop.
 *   E4. A request is settled at its deadline at the latest: in an event loop by
 *       a timer, elsewhere by the next drain, before which no sleep is longer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { assert } from '../kernel/assert.ts';
import { systemClock } from '../kernel/clock.ts';
import { RuntimeError, toErrorMessage } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { Arena } from './arena.ts';
import { BusCounters, type ThreadCounters } from './bus-counters.ts';
import { type EndpointStatistics, statisticsOf } from './endpoint-statistics.ts';
import type { FrameHeader } from './frame.ts';
import { Listening } from './listening.ts';
import { Peer } from './peer.ts';
import { type Handler, Receiver, type ReservedHandler } from './receiver.ts';
import { type AskOptions, Requester, type RequestOptions } from './requester.ts';
import { PendingRequests } from './requests.ts';
import { Reservation } from './reservation.ts';
import { Sender } from './sender.ts';
import { Subscriptions } from './subscriptions.ts';
import type { ThreadId } from './thread-id.ts';
import type { Topic, TopicSpec } from './topic.ts';
import { notFound, TopicTable } from './topic-table.ts';
import type { EndpointSpec } from './topology.ts';

export type { FrameHeader } from './frame.ts';
export type { AskOptions, RequestOptions } from './requester.ts';
export type { Reservation } from './reservation.ts';
export type { ThreadId } from './thread-id.ts';
export { threadId } from './thread-id.ts';
export type { Topic } from './topic.ts';
export { defineTopic } from './topic.ts';
export type { Bus, BusSeat, EndpointSpec, ThreadSpec } from './topology.ts';
export { createBus, newSeatOf, seatOf } from './topology.ts';

export class Endpoint {
  readonly self: ThreadId;
  /** Where large payloads are allocated; null on a bus without. */
  readonly arena: Arena | null;
  /** Place of this thread on the bus, and its producer slot in rings beside it. */
  readonly index: number;
  readonly #waits: EndpointSpec['waits'];
  readonly #listeners: MessagePort[];
  readonly #table: TopicTable;
  readonly #peers: readonly Peer[];
  readonly #inbox: Peer['inbox'];
  readonly #subscriptions: Subscriptions;
  readonly #allCounters: BusCounters;
  readonly #counters: ThreadCounters;
  readonly #pending = new PendingRequests();
  readonly #requester: Requester;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  #listening: Listening | null = null;
  #retry: NodeJS.Timeout | null = null;
  #wasBlocked = false;
  #closed = false;

  constructor(spec: EndpointSpec) {
    const { peers, topics, shared } = spec;
    this.self = spec.self;
    this.#waits = spec.waits;
    this.#listeners = [...spec.listeners];
    this.#table = new TopicTable(
      peers.map(({ id }) => id),
      topics,
    );
    this.index = this.#table.threadIndex(spec.self);
    this.#peers = peers.map((peer, index) => new Peer(peer, { index, producer: this.index }));
    const own = this.#peers[this.index];
    assert(own !== undefined, 'a thread is among its peers');
    this.#inbox = own.inbox;
    this.#subscriptions = new Subscriptions(shared.subscriptions);
    const shape = { threads: peers.length, topics: topics.length };
    this.#allCounters = new BusCounters(shared.counters, shape);
    this.#counters = this.#allCounters.writer(this.index);
    this.arena = shared.arena === null ? null : new Arena(shared.arena, this.index);
    const parts = {
      self: { id: this.self, index: this.index },
      table: this.#table,
      counters: this.#counters,
      requests: this.#pending,
    };
    this.#sender = new Sender({
      ...parts,
      peers: this.#peers,
      subscriptions: this.#subscriptions,
      onOwnMail: () => this.#listening?.nudge(),
      onDeferred: () => this.#armRetry(),
      onRoom: () => this.#unblock(),
      onEnded: (thread) => this.#pending.threadEnded(thread),
    });
    this.#requester = new Requester({
      table: this.#table,
      sender: this.#sender,
      pending: this.#pending,
      clock: systemClock,
      waits: spec.waits,
    });
    this.#receiver = new Receiver({
      ...parts,
      inbox: this.#inbox,
      sender: this.#sender,
      arena: this.arena,
    });
  }

  /**
   * Sends a message to one thread. On a topic that waits, true says that it was
   * published or waits in the outbox (E1), false that the outbox is full; on
   * one that may be shed, false says that it was. A `body` that is a Uint8Array
   * travels as it is, a Tensor as its elements, a Lease changes hands, anything
   * else goes through the codec.
   * @throws RuntimeError BUS_NOT_PERMITTED, BUS_MESSAGE_TOO_LARGE
   */
  send<Body>(to: ThreadId, topic: Topic<Body, unknown>, body: NoInfer<Body>): boolean {
    return this.#sender.send(to, topic, body);
  }

  /**
   * Sends a message to every thread that subscribes, as `send` does to each;
   * nobody's full inbox keeps the others from theirs. Answers the threads that
   * did not get it. A Lease is shared by those that did.
   * @throws RuntimeError BUS_NOT_PERMITTED, BUS_MESSAGE_TOO_LARGE
   */
  publish<Body>(topic: Topic<Body, unknown>, body: NoInfer<Body>): readonly ThreadId[] {
    return this.#sender.publish(topic, body);
  }

  /** Hears what is published from now on. @throws RuntimeError BUS_NOT_PERMITTED */
  subscribe(topic: TopicSpec): void {
    this.#subscriptions.add(this.#receivable(topic), this.index);
  }

  /** What was published before may still arrive. */
  unsubscribe(topic: TopicSpec): void {
    this.#subscriptions.remove(this.#receivable(topic), this.index);
  }

  /**
   * Sets the handler of a topic, once, before this thread drains or listens.
   * What comes on topics without a handler becomes a dead letter.
   * @throws RuntimeError BUS_NOT_PERMITTED when this thread may not receive it.
   */
  on<Body>(topic: Topic<Body, unknown>, handler: Handler<Body>): void {
    // The body has the type that its sender was held to.
    this.#receiver.handle(this.#receivable(topic), handler as Handler<unknown>);
  }

  /**
   * As `on`, for messages that each lead to an outcome. The handler gets a
   * place of the outbox for it, and no mail is taken while none is free. Only
   * for threads that wait in their `event-loop`.
   */
  onReserved<Body>(topic: Topic<Body, unknown>, handler: ReservedHandler<Body>): void {
    assert(this.#waits === 'event-loop', 'a thread that parks would turn in circles');
    this.#receiver.handleReserved(this.#receivable(topic), handler as ReservedHandler<unknown>);
  }

  /**
   * Asks another thread and resolves with the body of its reply. Only for
   * threads that wait in their `event-loop`.
   * @throws RuntimeError BUS_NOT_PERMITTED, BUS_MESSAGE_TOO_LARGE; OUTBOX_FULL
   *   and BUS_REQUEST_EXPIRED, both retryable; BUS_THREAD_ENDED; BUS_CLOSED;
   *   and the error that the other thread replied.
   * @throws the reason of the signal
   */
  request<Body, Reply>(
    to: ThreadId,
    topic: Topic<Body, Reply>,
    body: NoInfer<Body>,
    options: RequestOptions,
  ): Promise<Reply> {
    const reply = this.#requester.request(to, topic, body, options);
    this.#listening?.expectMail();
    return reply;
  }

  /**
   * As `request`, for any thread: the reply comes to `onReply` (E4). False when
   * nothing was sent, because the outbox is full or too many requests wait.
   * @throws RuntimeError BUS_NOT_PERMITTED, BUS_MESSAGE_TOO_LARGE
   */
  ask<Body, Reply>(
    to: ThreadId,
    topic: Topic<Body, Reply>,
    body: NoInfer<Body>,
    options: AskOptions<Reply>,
  ): boolean {
    return this.#requester.tryAsk(to, topic, body, options as AskOptions<unknown>) !== null;
  }

  /** Answers a request; false when the outbox is full. Throws as `send`. */
  reply(request: FrameHeader, body: unknown): boolean {
    return this.#sender.reply(request, body, 'reply');
  }

  /** Answers a request with an error, which the other side rebuilds by its code; false as `reply`. */
  replyError(request: FrameHeader, error: unknown): boolean {
    return this.#sender.reply(request, toErrorMessage(error), 'error-reply');
  }

  /** Keeps a place of the outbox for an outcome that must be sendable later; null when none is free. */
  reserve(): Reservation | null {
    const { outbox } = this.#sender.outgoing;
    if (outbox.room <= 0) return null;
    outbox.reserve(1);
    return new Reservation(this.#sender);
  }

  /**
   * How many messages `send` will surely accept, over all destinations, without
   * the places that are reserved. It is 0 while `limits.outboxBytesMax` bytes
   * wait, although `send` would accept more.
   */
  outboxRoom(): number {
    return this.#sender.outgoing.outbox.room;
  }

  /** Publishes what waits in the outbox as far as it fits; true when nothing is left. */
  flush(): boolean {
    return this.#sender.outgoing.flush();
  }

  /**
   * Flushes, settles the requests that are due, then hands messages of the
   * inbox to their handlers: up to `limit`, and for `limits.drainSliceMsMax`.
   * Returns how many frames were taken, those that were refused included.
   */
  drain(limit: number = limits.drainFramesMax): number {
    const { outgoing } = this.#sender;
    outgoing.flush();
    this.#requester.expire(); // (E4)
    // Looked at before the inbox: what a thread answered before it ended is in there.
    const isNews = outgoing.hasNewEndings;
    const taken = this.#receiver.drain(limit);
    if (isNews && taken === 0) outgoing.noticeEndings();
    return taken;
  }

  /**
   * Stands still until there is mail or `timeoutMs` passed, at most
   * `limits.outboxRetryMs` while frames wait in the outbox (E3), and no longer
   * than to the next deadline (E4). Only for threads that wait by `atomics`.
   */
  park(timeoutMs: number): void {
    assert(this.#waits === 'atomics', 'a thread with an event loop listens instead of parking');
    const waiting = this.#sender.outgoing.outbox.frames > 0;
    const flushInMs = waiting ? limits.outboxRetryMs : Number.POSITIVE_INFINITY;
    this.#inbox.park(Math.min(timeoutMs, flushInMs, this.#requester.dueInMs()));
    this.#counters.wakeUp();
  }

  /**
   * Hands every message to its handler, in slices with a turn of the event
   * loop between them, and keeps the process alive until `close`. Only for
   * threads that wait in their `event-loop`, once.
   */
  listen(): void {
    assert(this.#waits === 'event-loop', 'a thread without an event loop parks and drains');
    assert(
      this.#listening === null && !this.#closed,
      'an endpoint listens once, before it is closed',
    );
    this.#listening = new Listening({
      listeners: this.#listeners,
      drain: () => this.drain(),
      tryListen: () => this.#inbox.tryListen(),
      stopListening: () => this.#inbox.stopListening(),
      isBlocked: () => this.#isBlocked(),
      onWake: () => this.#counters.wakeUp(),
    });
  }

  /** Another thread has taken the place of one that had ended; every living sender is told. */
  threadReplaced(thread: ThreadId): void {
    const peer = this.#peers[this.#table.threadIndex(thread)];
    assert(peer !== undefined, `no thread ${thread} on this bus`);
    peer.inbox.consumerReplaced();
  }

  /** Hears one more bell: that of a thread which has taken the place of another. */
  addListener(listener: MessagePort): void {
    if (this.#closed) {
      listener.close();
      return;
    }
    this.#listeners.push(listener);
    this.#listening?.add(listener);
  }

  /** Leaves the bus once everything in the outbox has left. Only for threads with an event loop. */
  async leave(): Promise<void> {
    while (!this.flush()) await sleep(limits.outboxRetryMs);
    this.close();
  }

  /**
   * Leaves the bus: no more handler calls, and what waits for a reply fails.
   * Frames still in the outbox are given up, so `flush` first.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#receiver.close();
    this.#listening?.close();
    if (this.#retry !== null) clearTimeout(this.#retry);
    for (const listener of this.#listeners) listener.close();
    for (const { ringer } of this.#peers) ringer?.close();
    this.#requester.close();
  }

  statistics(): EndpointStatistics {
    const { outbox } = this.#sender.outgoing;
    return statisticsOf(this.#allCounters.read(this.index), {
      depthBytes: this.#inbox.depthBytes(),
      outboxFrames: outbox.frames,
      reserved: outbox.reserved,
      requests: this.#pending.size,
    });
  }

  /** @throws RuntimeError BUS_NOT_PERMITTED */
  #receivable(topic: TopicSpec): number {
    const index = this.#table.topicIndex(topic.id);
    if (this.#table.mayReceive(index, this.index)) return index; // (E2)
    this.#counters.denied(index === notFound ? this.#counters.unknownTopic : index);
    throw new RuntimeError(
      'BUS_NOT_PERMITTED',
      `Thread ${this.self} may not receive ${topic.name}.`,
      { details: { thread: this.self, topic: topic.name } },
    );
  }

  /** Event loops flush by a timer (E3); the others when they drain or park. */
  #armRetry(): void {
    if (this.#waits !== 'event-loop' || this.#retry !== null || this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      if (!this.flush()) this.#armRetry();
    }, limits.outboxRetryMs);
  }

  #isBlocked(): boolean {
    this.#wasBlocked = this.#receiver.isBlocked;
    return this.#wasBlocked;
  }

  #unblock(): void {
    if (!this.#wasBlocked || this.#receiver.isBlocked) return;
    this.#wasBlocked = false;
    this.#listening?.nudge();
  }
}

/** Opens this thread's seat on the bus, once. */
export function openEndpoint(spec: EndpointSpec): Endpoint {
  return new Endpoint(spec);
}
