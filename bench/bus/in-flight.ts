/**
 * Holds a sender whose queue has no bound of its own to the bytes in flight
 * that a ring would hold: the receiver counts what has arrived in a shared
 * word, and the sender runs only so far ahead.
 */
import { inFlightBytesMax } from './load.ts';
import { SpinThenNap } from './pacing.ts';

/** Messages of this length that may be in flight. */
export function inFlightMax(lengthBytes: number): number {
  return Math.max(2, inFlightBytesMax / lengthBytes);
}

/** Memory for the count; it begins at 0. */
export function allocateArrived(): SharedArrayBuffer {
  return new SharedArrayBuffer(4);
}

/** Receiver: says how many messages have arrived. */
export class Arrivals {
  readonly #arrived: Int32Array;

  constructor(arrived: SharedArrayBuffer) {
    this.#arrived = new Int32Array(arrived);
  }

  set(count: number): void {
    Atomics.store(this.#arrived, 0, count);
  }
}

/** Sender: waits while too much is in flight. */
export class Departures {
  readonly #arrived: Int32Array;
  readonly #max: number;
  readonly #waiting = new SpinThenNap();
  #seen = 0;

  constructor(arrived: SharedArrayBuffer, max: number) {
    this.#arrived = new Int32Array(arrived);
    this.#max = max;
  }

  /** Returns once message `number`, counted from 0, may leave. */
  await(number: number): void {
    if (number - this.#seen < this.#max) return;
    for (;;) {
      this.#seen = Atomics.load(this.#arrived, 0);
      if (number - this.#seen < this.#max) break;
      this.#waiting.idle();
    }
    this.#waiting.busy();
  }
}
