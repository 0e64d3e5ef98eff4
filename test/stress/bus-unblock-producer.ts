/**
 * A producer that is made to be killed: it sends numbered messages with a
 * checksum, spends most of its time between claim and commit, and never ends
 * by itself. After each commit it says how far it is in a word of its own.
 */
import { workerData } from 'node:worker_threads';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import {
  batchMessagesMax,
  type KilledProducerTask,
  messageBytesMin,
  stampMessage,
} from './bus-unblock-message.ts';

const { memory, committed, producer, life, seed, lengthMax } = workerData as KilledProducerTask;
const ring = new ManyToOneRingBuffer(memory, { producer });
const committedOf = new Int32Array(committed);
const pause = new Int32Array(new SharedArrayBuffer(4));
/** Messages after which the consumer is woken when nobody waits for room. */
const burst = 4;
const abortedEvery = 13;
/** Some messages come in batches. */
const batchEvery = 16;
/** Some claims stay open for a while more, up to so many loads of a word. */
const lingerEvery = 8;
const lingerSpinsMax = 20_000;

let state = (seed | 1) >>> 0;
function random(below: number): number {
  // Marsaglia's xorshift with 32 bits.
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  state >>>= 0;
  return state % below;
}

/** A loop, because a thread is killed at the end of a round of a loop. */
function linger(spins: number): void {
  for (let spin = 0; spin < spins; spin += 1) Atomics.load(pause, 0);
}

let sequence = 0;
let batchLeft = 0;

function endBatch(): void {
  batchLeft = 0;
  ring.endBatch();
  Atomics.store(committedOf, life, sequence);
  ring.wake();
}

for (let claims = 1; ; claims += 1) {
  if (batchLeft === 0 && claims % batchEvery === 0) {
    batchLeft = 1 + random(batchMessagesMax);
    ring.beginBatch();
  }
  const lengthBytes = messageBytesMin + random(lengthMax - messageBytesMin + 1);
  const index = ring.tryClaim(life, lengthBytes);
  if (index === refusedClaim) {
    if (batchLeft > 0) endBatch(); // A batch does not wait.
    ring.wake();
    Atomics.wait(pause, 0, 0, 0.1);
    continue;
  }
  if (claims % lingerEvery === 0) linger(random(lingerSpinsMax));
  if (claims % abortedEvery === 0) {
    ring.bytes.fill(0xee, index, index + lengthBytes);
    ring.abort(index);
    continue;
  }
  sequence += 1;
  stampMessage(ring.bytes, { index, lengthBytes, life, sequence });
  ring.commit(index);
  if (batchLeft === 0) Atomics.store(committedOf, life, sequence);
  if (batchLeft > 0) {
    batchLeft -= 1;
    if (batchLeft === 0) endBatch();
  }
  if (claims % burst === 0) ring.wake();
}
