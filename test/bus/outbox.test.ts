import { describe, expect, it } from 'vitest';
import { Outbox, OutboxQueue, type WaitingFrame } from '../../src/bus/outbox.ts';
import { threadId } from '../../src/bus/thread-id.ts';

const bounds = { framesMax: 10, bytesMax: 1_000 };

function frame(topic: number, lengthBytes = 1): WaitingFrame {
  const header = {
    type: 'message',
    topic,
    from: threadId(0),
    correlation: 0,
    sequence: 1,
    cause: null,
    sentAtUs: null,
  } as const;
  return { header, body: { kind: 'none' }, topicIndex: 0, lengthBytes };
}

/** Flushes a queue into a list, up to `room` frames. */
function flushed(outbox: Outbox, queue: OutboxQueue, room = Number.POSITIVE_INFINITY): number[] {
  const topics: number[] = [];
  outbox.flush(queue, ({ header }) => topics.length < room && topics.push(header.topic) > 0);
  return topics;
}

describe('an outbox', () => {
  it('lets frames of one destination out in order, as far as there is room', () => {
    const outbox = new Outbox(bounds);
    const queue = new OutboxQueue();
    for (const topic of [1, 2, 3, 4]) outbox.push(queue, frame(topic));
    expect(flushed(outbox, queue, 3)).toEqual([1, 2, 3]);
    outbox.push(queue, frame(5));
    expect(flushed(outbox, queue)).toEqual([4, 5]);
    expect(outbox.frames).toBe(0);
  });

  it('counts its room down to nothing', () => {
    const outbox = new Outbox(bounds);
    const queue = new OutboxQueue();
    for (let room = 10; room > 0; room -= 1) {
      expect(outbox.room).toBe(room);
      expect(outbox.isFull).toBe(false);
      outbox.push(queue, frame(1));
    }
    expect(outbox.room).toBe(0);
    expect(outbox.isFull).toBe(true);
    expect(() => outbox.push(queue, frame(1))).toThrowError('where there is room');
  });

  it('tells no room, yet accepts, while more bytes wait than its limit', () => {
    const outbox = new Outbox(bounds);
    const queue = new OutboxQueue();
    outbox.push(queue, frame(1, 999));
    expect(outbox.room).toBe(9);
    outbox.push(queue, frame(2, 1));
    expect(outbox.room).toBe(0);
    expect(outbox.isFull).toBe(false);
    expect(flushed(outbox, queue, 1)).toEqual([1]);
    expect(outbox.room).toBe(9);
  });

  it('keeps reserved places from everybody else until they are given back', () => {
    const outbox = new Outbox(bounds);
    const queue = new OutboxQueue();
    outbox.reserve(8);
    expect([outbox.room, outbox.reserved]).toEqual([2, 8]);
    outbox.push(queue, frame(1));
    outbox.push(queue, frame(2));
    expect([outbox.room, outbox.isFull]).toEqual([0, true]);
    expect(() => outbox.push(queue, frame(3))).toThrowError('where there is room');
    expect(() => outbox.reserve(1)).toThrowError('only where there is room');
    outbox.unreserve(1);
    outbox.push(queue, frame(3));
    expect(flushed(outbox, queue)).toEqual([1, 2, 3]);
    expect(outbox.room).toBe(3);
    outbox.unreserve(7);
    expect(() => outbox.unreserve(1)).toThrowError('given back once');
    expect(outbox.room).toBe(10);
  });

  it('keeps order over thousands of frames pushed and flushed in turns', () => {
    const outbox = new Outbox({ framesMax: 10_000, bytesMax: 1_000_000 });
    const queue = new OutboxQueue();
    const seen: number[] = [];
    for (let topic = 0; topic < 5_000; topic += 1) {
      outbox.push(queue, frame(topic));
      if (topic % 7 === 0) seen.push(...flushed(outbox, queue, 5));
    }
    seen.push(...flushed(outbox, queue));
    expect(seen).toEqual(Array.from({ length: 5_000 }, (_, topic) => topic));
  });
});
