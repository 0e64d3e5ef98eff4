/**
 * Peer: the npm package ringbuf.js, one producer and one consumer over shared
 * memory. Its advantages here: no header, no framing (both sides know the
 * length of every message), no check of what arrives but the benchmark's own,
 * and only one producer. Its API copies on both sides. It has no wake-up, so
 * its receiver looks again and again, then naps.
 *
 * It is a ring of elements, which it copies one by one: of bytes where
 * messages have any length, as on the bus; of words, with a quarter of the
 * steps, where every length is a multiple of four.
 */
import assert from 'node:assert/strict';
import { RingBuffer } from 'ringbuf.js';
import type { BenchThreads } from './bench-threads.ts';
import { inFlightBytesMax, type Load, rateOf } from './load.ts';
import { drainAll, giveWay, SpinThenNap } from './pacing.ts';
import { Ledger, markOf, stamp } from './payload.ts';

export type RingbufElement = 'byte' | 'word';

/** Memory of such a ring; any number of samples may use it, one after the other. */
export interface RingbufMemory {
  readonly element: RingbufElement;
  readonly memory: SharedArrayBuffer;
}

export interface RingbufTask extends RingbufMemory {
  readonly type: 'send-over-ringbuf';
  readonly load: Load;
}

const arrays = { byte: Uint8Array, word: Int32Array };

/** A ring for `inFlightBytesMax` bytes. */
export function allocateRingbuf(element: RingbufElement): RingbufMemory {
  const array = arrays[element];
  const capacity = inFlightBytesMax / array.BYTES_PER_ELEMENT;
  return { element, memory: RingBuffer.getStorageForCapacity(capacity, array) };
}

/** A message as the words that are stamped and as the elements that are pushed and popped. */
function messageOf(lengthBytes: number, element: RingbufElement) {
  const words = new Int32Array(lengthBytes / 4);
  const elements = element === 'byte' ? new Uint8Array(words.buffer) : words;
  return { words, elements };
}

/** Sender. */
export function sendOverRingbuf({ load, element, memory }: RingbufTask): void {
  const ring = new RingBuffer(memory, arrays[element]);
  const { words, elements } = messageOf(load.lengthBytes, element);
  for (let number = 0; number < load.messages; number += 1) {
    stamp({ words, first: 0, count: words.length }, markOf(0, number));
    // The capacity is a multiple of every length, so a push takes all of it or nothing.
    let pushed = ring.push(elements, elements.length);
    while (pushed === 0) {
      giveWay();
      pushed = ring.push(elements, elements.length);
    }
    assert.equal(pushed, elements.length);
  }
}

/** Receiver, in a loop: messages a second of one producer. */
export async function ringbufRate(
  threads: BenchThreads,
  load: Load,
  { element, memory }: RingbufMemory,
): Promise<number> {
  const ring = new RingBuffer(memory, arrays[element]);
  const ledger = new Ledger(1);
  const { words, elements } = messageOf(load.lengthBytes, element);
  const waiting = new SpinThenNap();
  const startedMs = performance.now();
  const sent = threads.run(0, { type: 'send-over-ringbuf', load, element, memory });
  const drain = (): number => {
    if (ring.pop(elements, elements.length) === 0) return 0;
    ledger.check(words, 0, words.length);
    waiting.busy();
    return 1;
  };
  drainAll(load.messages, drain, () => waiting.idle());
  const rate = rateOf(load, startedMs);
  await sent;
  return rate;
}
