import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import type { RingProducerTask } from './bus-ring-producer.ts';

const headerBytes = 8;
const abortedEvery = 101;
/** Sleeps of 100 ms without a record, one after another, that count as a stall. */
const idleSleepsMax = 50;

const workers: Worker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

function checksum(bytes: Uint8Array, from: number, to: number): number {
  let sum = 17;
  for (let index = from; index < to; index += 1)
    sum = (Math.imul(sum, 31) + (bytes[index] ?? 0)) | 0;
  return sum;
}

/** Drains the records of all producers while they write; each arrives whole, in order, none is missing. */
async function race(options: {
  capacityBytes: number;
  records: number;
  startSlots?: number;
}): Promise<void> {
  const { capacityBytes, records } = options;
  const memory = ManyToOneRingBuffer.allocate(capacityBytes, options.startSlots);
  const ring = new ManyToOneRingBuffer(memory);
  const producers = [1, 2];
  const ends = producers.map((producer) => {
    const task: RingProducerTask = { memory, producer, records, lengthMax: capacityBytes / 8 };
    const worker = new Worker(new URL('./bus-ring-producer.ts', import.meta.url), {
      workerData: task,
    });
    workers.push(worker);
    return once(worker, 'exit');
  });
  const expectedEach = records - Math.floor(records / abortedEvery);
  const next = new Map(producers.map((producer) => [producer, 0]));
  let received = 0;
  let idleSleeps = 0;
  let damaged = 0;
  let disordered = 0;
  while (received < expectedEach * producers.length) {
    const taken = ring.drain((producer, bytes, offset, length) => {
      const number = bytes.readUInt32LE(offset);
      if (bytes.readInt32LE(offset + 4) !== checksum(bytes, offset + headerBytes, offset + length))
        damaged += 1;
      const due = next.get(producer) ?? -1;
      if (number !== due) disordered += 1;
      next.set(producer, number + (number % abortedEvery === abortedEvery - 2 ? 2 : 1));
      received += 1;
    }, 64);
    idleSleeps = taken > 0 ? 0 : idleSleeps + 1;
    if (idleSleeps > idleSleepsMax) throw new Error(`the ring stalled after ${received} records`);
    if (taken === 0) {
      ring.park(100);
      // Worker starts and crashes need this thread's event loop now and then.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  expect(await Promise.all(ends)).toEqual([[0], [0]]);
  expect({ damaged, disordered, received }).toEqual({
    damaged: 0,
    disordered: 0,
    received: expectedEach * 2,
  });
  ring.drain(() => expect.unreachable('nothing is left'), 1);
  expect(ring.depthBytes()).toBe(0);
}

it('delivers every record of two racing producers whole and in order', async () => {
  await race({ capacityBytes: 64 * 1_024, records: 50_000 });
});

it('does so in a ring that is always full', async () => {
  await race({ capacityBytes: 1_024, records: 60_000 });
});

it('does so while the counters pass 32 bits', async () => {
  await race({ capacityBytes: 4_096, records: 60_000, startSlots: 2 ** 32 - 100_000 });
});
