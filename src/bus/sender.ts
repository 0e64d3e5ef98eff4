/**
 * The sending half of an endpoint: who may send what, to one thread or to all
 * who subscribe, and whose the payload is afterwards. It never waits.
 *
 * Invariants
 *   X1. What the permission table refuses is never encoded.
 *   X2. A dead letter never makes a dead letter.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import {
  type DeadLetter,
  type DeadLetterReason,
  deadLetterTopicId,
  firstBytesOf,
} from './dead-letters.ts';
import { encodeBody, type FrameBody, type FrameHeader, keepBody } from './frame.ts';
import { Lease } from './lease.ts';
import type { WaitingFrame } from './outbox.ts';
import {
  type Address,
  type OfferedBody,
  Outgoing,
  type OutgoingParts,
  type Outlet,
  offeredLength,
} from './outgoing.ts';
import type { Peer } from './peer.ts';
import type { ThreadId } from './thread-id.ts';
import type { TopicSpec } from './topic.ts';
import { notFound } from './topic-table.ts';

function offeredBody(body: unknown): OfferedBody {
  return body instanceof Lease ? { kind: 'lease', lease: body } : encodeBody(body);
}

const message: Address = { type: 'message', correlation: 0 };

export interface SenderParts extends Omit<OutgoingParts, 'onBuried' | 'self'> {
  readonly self: { readonly id: ThreadId; readonly index: number };
}

export class Sender {
  readonly outgoing: Outgoing;
  readonly #parts: SenderParts;
  readonly #outlets: readonly Outlet[];
  readonly #deadLetterTopic: number;

  constructor(parts: SenderParts) {
    this.#parts = parts;
    this.#outlets = parts.table.topics.map(({ policy }) => (policy === 'wait' ? 'outbox' : 'none'));
    this.#deadLetterTopic = parts.table.topicIndex(deadLetterTopicId);
    this.outgoing = new Outgoing({
      ...parts,
      self: parts.self.id,
      onBuried: (peer, frame) => this.#reportFrame('thread-ended', peer, frame),
    });
  }

  /**
   * Sends to one thread; true when the frame was accepted. `outlet` is what the
   * policy of the topic says unless given.
   * @throws RuntimeError BUS_NOT_PERMITTED, BUS_MESSAGE_TOO_LARGE
   */
  send(
    to: ThreadId,
    topic: TopicSpec,
    body: unknown,
    address: Address = message,
    outlet?: Outlet,
  ): boolean {
    const { table, self } = this.#parts;
    const peer = this.#peer(to);
    const index = table.topicIndex(topic.id);
    if (!table.maySend(index, self.index) || !table.mayReceive(index, peer.index)) {
      throw this.#denied(index, `${topic.name} to thread ${to}`); // (X1)
    }
    return this.#transmit(peer, index, body, address, outlet ?? this.#outletOf(index));
  }

  /** Whether this thread knows that another one has ended. */
  hasEnded(threadIndex: number): boolean {
    return this.#parts.peers[threadIndex]?.ended === true;
  }

  /**
   * Answers a message, the other way over its topic; true when the frame was
   * accepted. A reply waits in the outbox, whatever the policy of the topic.
   * @throws RuntimeError BUS_NOT_PERMITTED, BUS_MESSAGE_TOO_LARGE
   */
  reply(
    request: FrameHeader,
    body: unknown,
    type: 'reply' | 'error-reply',
    outlet: Outlet = 'outbox',
  ): boolean {
    const { table, self } = this.#parts;
    assert(request.type === 'request', 'only a request is replied to');
    const peer = this.#peer(request.from);
    const index = table.topicIndex(request.topic);
    if (!table.mayReceive(index, self.index) || !table.maySend(index, peer.index)) {
      throw this.#denied(index, `a reply on topic ${request.topic} to thread ${peer.id}`); // (X1)
    }
    const address: Address = { type, correlation: request.correlation };
    const handled = this.outgoing.cause;
    this.outgoing.cause = request;
    try {
      return this.#transmit(peer, index, body, address, outlet);
    } finally {
      this.outgoing.cause = handled;
    }
  }

  /**
   * Sends to every thread that subscribes, encoded once; no full inbox keeps
   * the others from theirs. Answers the threads that did not get it. A lease is
   * given up in any case.
   * @throws RuntimeError BUS_NOT_PERMITTED, BUS_MESSAGE_TOO_LARGE
   */
  publish(topic: TopicSpec, body: unknown): readonly ThreadId[] {
    const { table, self } = this.#parts;
    const index = table.topicIndex(topic.id);
    if (!table.maySend(index, self.index)) throw this.#denied(index, topic.name); // (X1)
    this.outgoing.noticeEndings();
    return body instanceof Lease
      ? this.#fanOutLease(index, body)
      : this.#fanOut(index, encodeBody(body));
  }

  /**
   * Publishes a dead letter to whoever subscribes to them, if anybody (X2).
   * @param topicIndex What it was about, `notFound` for an unknown topic.
   */
  report(letter: Omit<DeadLetter, 'reporter'>, topicIndex: number): void {
    const { counters, table, self } = this.#parts;
    counters.deadLettered(topicIndex === notFound ? counters.unknownTopic : topicIndex);
    const index = this.#deadLetterTopic;
    if (index === notFound || topicIndex === index || !table.maySend(index, self.index)) return;
    if (!this.#parts.subscriptions.hasAny(index)) return;
    try {
      this.#fanOut(index, encodeBody({ ...letter, reporter: self.id } satisfies DeadLetter));
    } catch (error) {
      // An inbox too small for the description; the letter is counted all the same.
      if (!(error instanceof RuntimeError) || error.code !== 'BUS_MESSAGE_TOO_LARGE') throw error;
    }
  }

  #peer(to: ThreadId): Peer {
    const peer = this.#parts.peers[this.#parts.table.threadIndex(to)];
    assert(peer !== undefined, `no thread ${to} on this bus`);
    return peer;
  }

  #transmit(
    peer: Peer,
    topicIndex: number,
    body: unknown,
    address: Address,
    outlet: Outlet,
  ): boolean {
    this.outgoing.noticeEndings();
    const offered = offeredBody(body);
    if (this.outgoing.tryAccept(peer, topicIndex, offered, address, outlet)) return true;
    this.#reportShed(peer, topicIndex, offered, outlet);
    return false;
  }

  #fanOut(topicIndex: number, body: FrameBody): readonly ThreadId[] {
    const missed: Peer[] = [];
    const outlet = this.#outletOf(topicIndex);
    for (const peer of this.#subscribers(topicIndex)) {
      if (!this.outgoing.tryAccept(peer, topicIndex, body, message, outlet)) missed.push(peer);
    }
    // Reported last, and kept for it: a report is encoded too, in the same memory.
    const shed = missed.length > 1 ? keepBody(body) : body;
    for (const peer of missed) this.#reportShed(peer, topicIndex, shed, outlet);
    return missed.map(({ id }) => id);
  }

  #fanOutLease(topicIndex: number, lease: Lease): readonly ThreadId[] {
    const missed: ThreadId[] = [];
    const outlet = this.#outletOf(topicIndex);
    for (const peer of this.#subscribers(topicIndex)) {
      const copy = lease.tryDuplicate();
      if (copy !== null && this.#transmit(peer, topicIndex, copy, message, outlet)) continue;
      copy?.release();
      missed.push(peer.id);
    }
    lease.release();
    return missed;
  }

  #subscribers(topicIndex: number): Peer[] {
    const { peers, subscriptions } = this.#parts;
    return peers.filter(({ index }) => subscriptions.has(topicIndex, index));
  }

  #outletOf(topicIndex: number): Outlet {
    return this.#outlets[topicIndex] ?? 'none';
  }

  #reportShed(peer: Peer, topicIndex: number, offered: OfferedBody, outlet: Outlet): void {
    if (outlet !== 'none' || this.#parts.table.topic(topicIndex).reportShed !== true) return;
    const header = this.outgoing.latestHeader;
    const body: FrameBody = offered.kind === 'lease' ? { kind: 'none' } : offered;
    const lengthBytes = offeredLength(offered);
    this.#reportFrame('shed', peer, { header, body, topicIndex, lengthBytes });
  }

  #reportFrame(reason: DeadLetterReason, peer: Peer, frame: WaitingFrame): void {
    const { header, body, topicIndex, lengthBytes } = frame;
    const firstBytes = firstBytesOf(body);
    this.report({ reason, detail: '', to: peer.id, header, lengthBytes, firstBytes }, topicIndex);
  }

  #denied(topicIndex: number, what: string): RuntimeError {
    const { counters, self } = this.#parts;
    counters.denied(topicIndex === notFound ? counters.unknownTopic : topicIndex);
    return new RuntimeError('BUS_NOT_PERMITTED', `Thread ${self.id} may not send ${what}.`, {
      details: { thread: self.id },
    });
  }
}
