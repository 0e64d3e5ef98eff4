/**
 * Frames that did not fit their inbox yet, first in first out for each
 * destination. It exists so that a full inbox is a short delay and not a
 * failure, and it is bounded, so that a destination that stays full becomes a
 * refusal. Whoever begins work whose outcome must be sendable reserves the
 * place of the outcome first.
 *
 * Invariants
 *   O1. Frames of one destination leave in the order in which they were pushed.
 *   O2. Waiting frames and reserved places together are at most `framesMax`;
 *       once `bytesMax` bytes wait, `room` tells 0, so that nobody begins work
 *       that would send more.
 *   O3. A reserved place is used or given back once; until then no other frame
 *       takes it.
 */
import { assert } from '../kernel/assert.ts';
import type { FrameBody, FrameHeader } from './frame.ts';

/** A frame that waits: nothing of it changes any more. */
export interface WaitingFrame {
  readonly header: FrameHeader;
  readonly body: FrameBody;
  readonly topicIndex: number;
  readonly lengthBytes: number;
}

/** The frames of one destination. */
export class OutboxQueue {
  /** Consumed entries stay before `#first` until half of the list is consumed. */
  #waiting: WaitingFrame[] = [];
  #first = 0;

  get length(): number {
    return this.#waiting.length - this.#first;
  }

  get first(): WaitingFrame | undefined {
    return this.#waiting[this.#first];
  }

  push(frame: WaitingFrame): void {
    this.#waiting.push(frame);
  }

  shift(): void {
    this.#first += 1;
    if (this.#first * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }
}

interface OutboxLimits {
  readonly framesMax: number;
  readonly bytesMax: number;
}

export class Outbox {
  readonly #limits: OutboxLimits;
  #frames = 0;
  #bytes = 0;
  #reserved = 0;

  constructor(bounds: OutboxLimits) {
    this.#limits = bounds;
  }

  /** Frames that wait. */
  get frames(): number {
    return this.#frames;
  }

  /** Places that are kept for outcomes. */
  get reserved(): number {
    return this.#reserved;
  }

  /** Frames that `push` surely accepts and that the byte limit allows to begin (O2). */
  get room(): number {
    return this.#bytes >= this.#limits.bytesMax ? 0 : this.#freePlaces;
  }

  get isFull(): boolean {
    return this.#freePlaces <= 0;
  }

  /** Keeps `places`, at most `room` of them (O2). */
  reserve(places: number): void {
    assert(places <= this.room, 'places are reserved only where there is room');
    this.#reserved += places;
  }

  /** Gives reserved places back, to be used or left (O3). */
  unreserve(places: number): void {
    assert(places <= this.#reserved, 'a place is given back once');
    this.#reserved -= places;
  }

  push(queue: OutboxQueue, frame: WaitingFrame): void {
    assert(!this.isFull, 'a frame is pushed only where there is room');
    queue.push(frame);
    this.#frames += 1;
    this.#bytes += frame.lengthBytes;
  }

  /** Publishes frames of one destination until `tryPublish` refuses. */
  flush(queue: OutboxQueue, tryPublish: (frame: WaitingFrame) => boolean): void {
    for (let next = queue.first; next !== undefined && tryPublish(next); next = queue.first) {
      queue.shift(); // (O1)
      this.#frames -= 1;
      this.#bytes -= next.lengthBytes;
    }
  }

  get #freePlaces(): number {
    return this.#limits.framesMax - this.#frames - this.#reserved;
  }
}
