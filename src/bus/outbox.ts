/**
 * Frames that did not fit their inbox yet, first in first out for each
 * destination. It exists so that a full inbox is a short delay and not a
 * failure, and it is bounded, so that a destination that stays full becomes a
 * refusal.
 *
 * Invariants
 *   O1. Frames of one destination leave in the order in which they were pushed.
 *   O2. At most `framesMax` frames wait; once `bytesMax` bytes wait, `room`
 *       tells 0, so that nobody begins work that would send more.
 */
import { assert } from '../kernel/assert.ts';
import type { EncodedMessage } from './frame.ts';

/** The frames of one destination. */
export class OutboxQueue {
  /** Consumed entries stay before `#first` until half of the list is consumed. */
  #waiting: EncodedMessage[] = [];
  #first = 0;

  get length(): number {
    return this.#waiting.length - this.#first;
  }

  get first(): EncodedMessage | undefined {
    return this.#waiting[this.#first];
  }

  push(message: EncodedMessage): void {
    this.#waiting.push(message);
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

  constructor(bounds: OutboxLimits) {
    this.#limits = bounds;
  }

  get frames(): number {
    return this.#frames;
  }

  /** Frames that `push` surely accepts and that the byte limit allows to begin (O2). */
  get room(): number {
    return this.#bytes >= this.#limits.bytesMax ? 0 : this.#limits.framesMax - this.#frames;
  }

  get isFull(): boolean {
    return this.#frames >= this.#limits.framesMax;
  }

  push(queue: OutboxQueue, message: EncodedMessage): void {
    assert(!this.isFull, 'a frame is pushed only where there is room');
    queue.push(message);
    this.#frames += 1;
    this.#bytes += message.body.length;
  }

  /** Publishes frames of one destination until `tryPublish` refuses. */
  flush(queue: OutboxQueue, tryPublish: (message: EncodedMessage) => boolean): void {
    for (let next = queue.first; next !== undefined && tryPublish(next); next = queue.first) {
      queue.shift(); // (O1)
      this.#frames -= 1;
      this.#bytes -= next.body.length;
    }
  }
}
