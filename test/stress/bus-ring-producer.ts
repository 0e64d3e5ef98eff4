/**
 * A thread that writes numbered records into a ring as fast as it can: the
 * record's number, a checksum, and a body of varying length.
 */
import { workerData } from 'node:worker_threads';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';

export interface RingProducerTask {
  readonly memory: SharedArrayBuffer;
  readonly producer: number;
  readonly records: number;
  readonly lengthMax: number;
}

const headerBytes = 8;

function checksum(bytes: Uint8Array, from: number, to: number): number {
  let sum = 17;
  for (let index = from; index < to; index += 1)
    sum = (Math.imul(sum, 31) + (bytes[index] ?? 0)) | 0;
  return sum;
}

const { memory, producer, records, lengthMax } = workerData as RingProducerTask;
const ring = new ManyToOneRingBuffer(memory, { producer });
const pause = new Int32Array(new SharedArrayBuffer(4));
for (let number = 0; number < records; number += 1) {
  const length = headerBytes + (((number * 2_654_435_761) >>> 0) % (lengthMax - headerBytes));
  let index = ring.tryClaim(producer, length);
  while (index === refusedClaim) {
    // A full ring: let the consumer have the processor.
    Atomics.wait(pause, 0, 0, 0.1);
    index = ring.tryClaim(producer, length);
  }
  ring.bytes.fill((number + producer) & 0xff, index + headerBytes, index + length);
  ring.bytes.writeUInt32LE(number, index);
  ring.bytes.writeInt32LE(checksum(ring.bytes, index + headerBytes, index + length), index + 4);
  if (number % 101 === 100) ring.abort(index);
  else ring.commit(index);
  ring.wake();
}
