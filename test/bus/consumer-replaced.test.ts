/** A consumer that ends inside a batch, and the one that takes its place (R8). */
import { expect, test } from 'vitest';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';

function publish(ring: ManyToOneRingBuffer, type: number): void {
  ring.commit(ring.tryClaim(type, 8));
}

test('goes on behind what the first had taken, once living producers have been told', () => {
  const memory = ManyToOneRingBuffer.allocate(1_024);
  const first = new ManyToOneRingBuffer(memory);
  const idle = new ManyToOneRingBuffer(memory, { producer: 0 });
  const busy = new ManyToOneRingBuffer(memory, { producer: 1 });
  publish(busy, 1);
  publish(idle, 2);
  publish(busy, 3);
  const seen: number[] = [];
  first.drain((type) => {
    // Inside the batch the first consumer has taken 1 and 2, and its head stands before both.
    if (type !== 2) return;
    const replaced = new ManyToOneRingBuffer(memory);
    const drain = (): number => replaced.drain((each) => seen.push(each), 10);
    expect([drain(), drain(), drain()]).toEqual([0, 0, 0]);
    idle.consumerReplaced();
    busy.consumerReplaced();
    drain();
    drain();
  }, 2);
  expect(seen).toEqual([3]);
});

test('an open claim is still awaited', () => {
  const memory = ManyToOneRingBuffer.allocate(1_024);
  const told = new ManyToOneRingBuffer(memory, { producer: 0 });
  const writing = new ManyToOneRingBuffer(memory, { producer: 1 });
  const index = writing.tryClaim(7, 8);
  expect(() => writing.consumerReplaced()).toThrow('a claim is open');
  told.consumerReplaced();
  const consumer = new ManyToOneRingBuffer(memory);
  const seen: number[] = [];
  const drain = () => consumer.drain((type) => seen.push(type), 10);
  drain();
  drain();
  expect(seen).toEqual([]);
  writing.commit(index);
  drain();
  expect(seen).toEqual([7]);
});
