/**
 * Frames that did not fit their inbox yet, first in first out for each
 * destination. It exists so that a full inbox is a short delay and not a
 * failure, and it is bounded, so that a destination that stays full becomes a
 * refusal.
 *
 * Invariants
 *   O1. Frames of one destination leave in the order in which they were pushed.
 *   O2. While a frame to the leading destination waits, no frame that was
 *       pushed after it leaves, whatever its destination.
 *   O3. At most `framesMax` frames wait; once `bytesMax` bytes wait, `room`
 *       tells 0, so that nobody begins work that would send more.
 */
import { assert } from '../kernel/assert.ts';
import type { EncodedMessage } from './frame.ts';

interface Waiting {
  /** Position among all frames ever pushed. */
  readonly order: number;
  readonly message: EncodedMessage;
}

/** The frames of one destination. */
export class OutboxQueue {
  /** Consumed entries stay before `#first` until half of the list is consumed. */
  #waiting: Waiting[] = [];
  #first = 0;

  get length(): number {
    return this.#waiting.length - this.#first;
  }

  get first(): Waiting | undefined {
    return this.#waiting[this.#first];
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting);
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
  readonly #leading: OutboxQueue | null;
  #pushed = 0;
  #frames = 0;
  #bytes = 0;

  /** `leading` is the queue that holds the others back (O2), if there is one. */
  constructor(bounds: OutboxLimits, leading: OutboxQueue | null) {
    this.#limits = bounds;
    this.#leading = leading;
  }

  get frames(): number {
    return this.#frames;
  }

  /** Frames that `push` surely accepts and that the byte limit allows to begin (O3). */
  get room(): number {
    return this.#bytes >= this.#limits.bytesMax ? 0 : this.#limits.framesMax - this.#frames;
  }

  get isFull(): boolean {
    return this.#frames >= this.#limits.framesMax;
  }

  /** Whether a new frame to this destination may be published past the outbox. */
  mayBypass(queue: OutboxQueue): boolean {
    if (this.#frames === 0) return true;
    if (queue.length > 0) return false; // (O1)
    return this.#leading === null || this.#leading.length === 0; // (O2)
  }

  push(queue: OutboxQueue, message: EncodedMessage): void {
    assert(!this.isFull, 'a frame is pushed only where there is room');
    queue.push({ order: this.#pushed, message });
    this.#pushed += 1;
    this.#frames += 1;
    this.#bytes += message.body.length;
  }

  /** Publishes frames of one destination until `tryPublish` refuses or order forbids. */
  flush(queue: OutboxQueue, tryPublish: (message: EncodedMessage) => boolean): void {
    for (let next = queue.first; next !== undefined; next = queue.first) {
      const barrier = this.#leading?.first?.order ?? Number.POSITIVE_INFINITY;
      if (next.order > barrier) return; // (O2)
      if (!tryPublish(next.message)) return;
      queue.shift();
      this.#frames -= 1;
      this.#bytes -= next.message.body.length;
    }
  }
}
