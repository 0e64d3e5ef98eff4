/**
 * Encoded frames on their way from this thread to the inboxes of all: claim,
 * write, commit, wake, or else wait in the bounded outbox.
 *
 * Invariants
 *   N1. Frames to one thread arrive in the order in which they were accepted,
 *       and their sequence grows by one from each to the next.
 *   N2. A frame that was accepted is published, or waits in the outbox, or was
 *       buried because the thread that it is for has ended.
 *   N3. Frames that wait share no memory with the caller nor with the encoder.
 *   N4. A lease is passed on only when its frame is accepted; until then, and
 *       after a refusal, it is the caller's.
 */
import { limits } from '../kernel/limits.ts';
import { arenaReferenceBytes } from './arena-reference.ts';
import type { ThreadCounters } from './bus-counters.ts';
import { ring } from './doorbell.ts';
import {
  type FrameBody,
  type FrameHeader,
  type FrameType,
  frameHeaderBytes,
  frameLength,
  keepBody,
  type MessageId,
  writeFrame,
} from './frame.ts';
import type { Lease } from './lease.ts';
import { Outbox, type WaitingFrame } from './outbox.ts';
import type { Peer } from './peer.ts';
import { refusedClaim } from './ring-buffer.ts';
import { framesPerStamp, nowStampUs } from './send-stamp.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { ThreadId } from './thread-id.ts';
import type { TopicTable } from './topic-table.ts';

/** The only type of record that an inbox holds. */
const frameRecord = 1;

/** Where a frame goes whose inbox is full: to the outbox, to a place reserved there, or nowhere. */
export type Outlet = 'outbox' | 'reserved' | 'none';

/** A body as it is offered: encoded, or a lease that is not passed on yet (N4). */
export type OfferedBody = FrameBody | { readonly kind: 'lease'; readonly lease: Lease };

/** What distinguishes a request and a reply from a message. */
export interface Address {
  readonly type: FrameType;
  readonly correlation: number;
}

export interface OutgoingParts {
  readonly self: ThreadId;
  readonly table: TopicTable;
  /** By the index of their threads. */
  readonly peers: readonly Peer[];
  readonly subscriptions: Subscriptions;
  readonly counters: ThreadCounters;
  /** This thread sent to itself while it listens. */
  readonly onOwnMail: () => void;
  /** Frames wait in the outbox, which somebody has to flush. */
  readonly onDeferred: () => void;
  /** Places of the outbox may be free again. */
  readonly onRoom: () => void;
  /** A thread has ended; called once each. */
  readonly onEnded: (thread: number) => void;
  /** A frame was for a thread that has ended (N2). */
  readonly onBuried: (peer: Peer, frame: WaitingFrame) => void;
}

/** Length of the frame of an offered body, in bytes. */
export function offeredLength(body: OfferedBody): number {
  return body.kind === 'lease' ? frameHeaderBytes + arenaReferenceBytes : frameLength(body);
}

/** The body that goes to `peer`; a lease is passed on by that (N4). */
function passedOn(body: OfferedBody, peer: Peer): FrameBody {
  if (body.kind !== 'lease') return body;
  return { kind: 'arena', reference: body.lease.transferTo(peer.index) };
}

type MutableHeader = { -readonly [Field in keyof FrameHeader]: FrameHeader[Field] };

export class Outgoing {
  readonly outbox = new Outbox({
    framesMax: limits.outboxFramesMax,
    bytesMax: limits.outboxBytesMax,
  });
  /** The message that is being handled, which causes what is sent meanwhile. */
  cause: MessageId | null = null;
  readonly #parts: OutgoingParts;
  /** One header for all frames: it is written into a ring at once, or copied. */
  readonly #header: MutableHeader;
  readonly #framesOfTopic: Uint32Array;
  #endingsSeen = 0;

  constructor(parts: OutgoingParts) {
    this.#parts = parts;
    this.#framesOfTopic = new Uint32Array(parts.table.topics.length);
    this.#header = {
      type: 'message',
      topic: 0,
      from: parts.self,
      correlation: 0,
      sequence: 0,
      cause: null,
      sentAtUs: null,
    };
  }

  /** The header of the latest frame that was offered. */
  get latestHeader(): FrameHeader {
    return { ...this.#header };
  }

  /**
   * Publishes a frame or queues it; false when it found no room (N2). A frame
   * with the outlet `reserved` always finds some, and uses its place up.
   * @throws RuntimeError BUS_MESSAGE_TOO_LARGE; then a reserved place is kept.
   */
  tryAccept(
    peer: Peer,
    topicIndex: number,
    body: OfferedBody,
    address: Address,
    outlet: Outlet,
  ): boolean {
    const lengthBytes = offeredLength(body);
    const header = this.#fillHeader(peer, topicIndex, address);
    if (peer.ended) {
      if (outlet === 'reserved') this.release(1);
      this.#bury(peer, topicIndex, body, lengthBytes);
      return true;
    }
    if (peer.queue.length === 0 && this.#tryPublish(peer, header, body, topicIndex, lengthBytes)) {
      peer.sequence = header.sequence; // (N1)
      this.#wake(peer);
      if (outlet === 'reserved') this.release(1);
      return true;
    }
    peer.inbox.checkLength(lengthBytes); // An outbox may not hide what can never leave.
    if (outlet === 'none') {
      this.#parts.counters.shed(topicIndex);
      return false;
    }
    if (outlet === 'reserved') this.outbox.unreserve(1);
    else if (this.outbox.isFull) {
      this.#parts.counters.refused(topicIndex);
      return false;
    }
    this.outbox.push(peer.queue, {
      header: { ...header },
      body: keepBody(passedOn(body, peer)), // (N3)
      topicIndex,
      lengthBytes,
    });
    peer.sequence = header.sequence; // (N1)
    this.#parts.counters.deferred(topicIndex);
    this.#parts.counters.outbox(this.outbox.frames);
    this.#parts.onDeferred();
    return true;
  }

  /** Publishes what waits as far as it fits; true when nothing is left. */
  flush(): boolean {
    const before = this.outbox.frames;
    if (before === 0) return true;
    for (const peer of this.#parts.peers) {
      if (peer.queue.length === 0) continue;
      peer.inbox.beginBatch();
      this.outbox.flush(peer.queue, ({ header, body, topicIndex, lengthBytes }) =>
        this.#tryPublish(peer, header, body, topicIndex, lengthBytes),
      );
      peer.inbox.endBatch();
      this.#wake(peer);
    }
    if (this.outbox.frames < before) this.#roomChanged();
    return this.outbox.frames === 0;
  }

  /** Gives reserved places back. */
  release(places: number): void {
    this.outbox.unreserve(places);
    this.#parts.onRoom();
  }

  /** Whether a thread has ended since the last look. */
  get hasNewEndings(): boolean {
    return this.#parts.subscriptions.endings() !== this.#endingsSeen;
  }

  /** Looks whether a thread has ended since the last look, and buries what waits for it (N2). */
  noticeEndings(): void {
    const { subscriptions, peers, onBuried, onEnded } = this.#parts;
    const endings = subscriptions.endings();
    if (endings === this.#endingsSeen) return;
    this.#endingsSeen = endings;
    for (const peer of peers) {
      if (peer.ended || !subscriptions.hasEnded(peer.index)) continue;
      peer.ended = true;
      this.outbox.flush(peer.queue, (frame) => {
        onBuried(peer, frame);
        return true;
      });
      this.#roomChanged();
      onEnded(peer.index);
    }
  }

  #fillHeader(peer: Peer, topicIndex: number, { type, correlation }: Address): FrameHeader {
    const header = this.#header;
    header.type = type;
    header.topic = this.#parts.table.topic(topicIndex).id;
    header.correlation = correlation;
    header.sequence = (peer.sequence + 1) >>> 0;
    header.cause = this.cause;
    const frames = this.#framesOfTopic[topicIndex] ?? 0;
    this.#framesOfTopic[topicIndex] = frames + 1;
    header.sentAtUs = (frames & (framesPerStamp - 1)) === 0 ? nowStampUs() : null;
    return header;
  }

  /** Writes a frame into the inbox, after which the receiver has to be woken. */
  #tryPublish(
    peer: Peer,
    header: FrameHeader,
    body: OfferedBody,
    topicIndex: number,
    lengthBytes: number,
  ): boolean {
    const { inbox } = peer;
    const index = inbox.tryClaim(frameRecord, lengthBytes);
    if (index === refusedClaim) {
      // Until it was refused this thread's intent may have hidden a gap from the consumer.
      this.#wake(peer);
      return false;
    }
    try {
      writeFrame(header, passedOn(body, peer), inbox.bytes, index);
    } catch (error) {
      // A lease that is not held; an open claim would stall the inbox while this thread lives.
      inbox.abort(index);
      this.#wake(peer);
      throw error;
    }
    inbox.commit(index);
    this.#parts.counters.published(topicIndex, lengthBytes);
    return true;
  }

  #bury(peer: Peer, topicIndex: number, body: OfferedBody, lengthBytes: number): void {
    if (body.kind === 'lease') body.lease.release();
    const buried: FrameBody = body.kind === 'lease' ? { kind: 'none' } : body;
    this.#parts.onBuried(peer, {
      header: this.latestHeader,
      body: buried,
      topicIndex,
      lengthBytes,
    });
  }

  #wake(peer: Peer): void {
    if (!peer.inbox.wake()) return;
    if (peer.ringer === null) this.#parts.onOwnMail();
    else {
      this.#parts.counters.wokeConsumer();
      ring(peer.ringer);
    }
  }

  #roomChanged(): void {
    this.#parts.counters.outbox(this.outbox.frames);
    this.#parts.onRoom();
  }
}
