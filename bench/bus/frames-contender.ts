/**
 * The bus as bare frames: each message with the product's own header through
 * the many-to-one ring, and its payload checked where it lies in the ring.
 * The main thread receives; one or two workers send, in batches as the bus
 * does when it flushes an outbox, or each message by itself.
 */
import assert from 'node:assert/strict';
import type { FrameBody } from '../../src/bus/frame.ts';
import { frameHeaderBytes, frameLength, readHeader, writeFrame } from '../../src/bus/frame.ts';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { threadId } from '../../src/bus/thread-id.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { BenchThreads } from './bench-threads.ts';
import { frameRecord, reusedHeader } from './frame-header.ts';
import { type Load, rateOf } from './load.ts';
import { drainAll, giveWay } from './pacing.ts';
import { Ledger, markOf, stamp } from './payload.ts';

export interface FramesTask {
  readonly type: 'send-frames';
  readonly load: Load;
  readonly producer: number;
  readonly memory: SharedArrayBuffer;
  /** Messages of one batch; 1 claims and wakes for each. */
  readonly batch: number;
}

/** Batches of this many messages, or of each one by itself. */
const batchMessages = 64;

/** Sender. */
export function sendFrames({ load, producer, memory, batch }: FramesTask): void {
  const ring = new ManyToOneRingBuffer(memory, { producer });
  const count = load.lengthBytes / 4;
  const words = new Int32Array(count);
  const body: FrameBody = { kind: 'bytes', bytes: Buffer.from(words.buffer) };
  const length = frameLength(body);
  const header = reusedHeader(threadId(producer + 1));
  const claim = (): number => {
    let index = ring.tryClaim(frameRecord, length);
    while (index === refusedClaim) {
      ring.endBatch(); // A batch does not wait.
      ring.wake();
      giveWay();
      if (batch > 1) ring.beginBatch();
      index = ring.tryClaim(frameRecord, length);
    }
    return index;
  };
  for (let number = 0; number < load.messages; ) {
    const end = Math.min(number + batch, load.messages);
    if (batch > 1) ring.beginBatch();
    for (; number < end; number += 1) {
      stamp({ words, first: 0, count }, markOf(producer, number));
      const index = claim();
      header.sequence = number;
      writeFrame(header, body, ring.bytes, index);
      ring.commit(index);
    }
    ring.endBatch();
    ring.wake();
  }
}

/** Receiver, in a loop that parks when nothing comes: messages a second. */
export async function framesRate(
  threads: BenchThreads,
  load: Load,
  memory: SharedArrayBuffer,
  claims: 'batched' | 'single' = 'batched',
): Promise<number> {
  const batch = claims === 'batched' ? batchMessages : 1;
  const ring = new ManyToOneRingBuffer(memory);
  const words = new Int32Array(memory, ring.bytes.byteOffset, ring.capacityBytes / 4);
  const ledger = new Ledger(load.producers);
  const receive = (_type: number, bytes: Buffer, offset: number, lengthBytes: number): void => {
    const header = readHeader(bytes, offset, lengthBytes);
    const first = (offset + frameHeaderBytes) / 4;
    const mark = ledger.check(words, first, (lengthBytes - frameHeaderBytes) / 4);
    if (mark !== markOf(header.from - 1, header.sequence)) assert.fail('a header is another’s');
  };
  const startedMs = performance.now();
  const sent = Array.from({ length: load.producers }, (_, producer) =>
    threads.run(producer, { type: 'send-frames', load, producer, memory, batch }),
  );
  drainAll(
    load.messages * load.producers,
    () => ring.drain(receive, limits.drainFramesMax),
    () => ring.park(limits.idleWaitMsMax),
  );
  const rate = rateOf(load, startedMs);
  await Promise.all(sent);
  return rate;
}
