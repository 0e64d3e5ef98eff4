import { describe, expect, it, vi } from 'vitest';
import { createBus, type Endpoint, seatOf, threadId } from '../../src/bus/endpoint.ts';
import type { Lease } from '../../src/bus/lease.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { slotBytes } from '../../src/bus/ring-buffer-descriptor.ts';
import { Tensor } from '../../src/bus/tensor.ts';
import { limits } from '../../src/kernel/limits.ts';
import {
  a,
  b,
  c,
  fill,
  kept,
  note,
  numbers,
  smallBus,
  smallInbox,
  three,
  tick,
} from './small-bus.ts';

const refusal = (code: string) => expect.objectContaining({ code });

describe('an endpoint', () => {
  it('delivers the body with topic, sender and sequence', () => {
    const { first, second, third } = three();
    const heard: unknown[] = [];
    second.on(note, (body, { from, topic, type, sequence, cause }) => {
      heard.push({ body, from, topic, type, sequence, cause });
    });
    first.send(b, note, { text: 'hello', list: [1, null] });
    third.send(b, note, Buffer.from('plain'));
    first.send(b, note, null);
    second.drain();
    const common = { topic: note.id, type: 'message', cause: null };
    expect(heard).toEqual([
      { ...common, body: { text: 'hello', list: [1, null] }, from: a, sequence: 1 },
      { ...common, body: Buffer.from('plain'), from: c, sequence: 1 },
      { ...common, body: null, from: a, sequence: 2 },
    ]);
  });

  it('delivers a tensor as its elements', () => {
    const { first, second } = three();
    const heard = kept(second, note);
    first.send(b, note, new Tensor('f32', [2, 2], Float32Array.of(1, 2, 3, 4)));
    second.drain();
    expect(heard).toEqual([new Tensor('f32', [2, 2], Float32Array.of(1, 2, 3, 4))]);
  });

  it('delivers to itself', () => {
    const { first } = three();
    const heard = kept(first, note);
    first.send(a, note, 'reminder');
    first.drain();
    expect(heard).toEqual(['reminder']);
  });

  it('names the message that was being handled as the cause of what is sent meanwhile', () => {
    const { first, second, third } = three();
    const causes: unknown[] = [];
    second.on(note, (body) => second.send(c, note, body));
    third.on(note, (_body, { from, cause }) => causes.push({ from, cause }));
    first.send(b, note, 'unrelated');
    first.send(b, note, 'passed on');
    second.drain();
    second.send(c, note, 'of its own accord');
    third.drain();
    expect(causes).toEqual([
      { from: b, cause: { from: a, sequence: 1 } },
      { from: b, cause: { from: a, sequence: 2 } },
      { from: b, cause: null },
    ]);
  });

  it('queues while an inbox is full and keeps the order of send', () => {
    const { first, second } = three();
    const heard = kept(second, note);
    const sent = fill(first, second, 50);
    for (let round = 0; round < sent && heard.length < sent; round += 1) {
      second.drain();
      first.flush();
    }
    expect(heard).toEqual(numbers(sent));
    expect(first.flush()).toBe(true);
    expect(first.statistics()).toMatchObject({
      published: sent,
      deferred: 50,
      outboxFrames: 0,
      refused: 0,
    });
    expect(second.statistics()).toMatchObject({
      received: sent,
      corrupt: 0,
      missing: 0,
      depthBytes: 0,
    });
  });

  it('does not overtake its own waiting frames once there is room again', () => {
    const { first, second } = three();
    const heard = kept(second, note);
    const sent = fill(first, second, 1);
    second.drain(5);
    first.send(b, note, 'last');
    second.drain();
    first.flush();
    second.drain();
    expect(heard.slice(-2)).toEqual([sent - 1, 'last']);
  });

  it('keeps bytes and elements that the caller changes while they wait', () => {
    const { first, second } = three();
    const heard = kept(second, note);
    fill(first, second, 1);
    const bytes = Buffer.from('before');
    const elements = Int32Array.of(7);
    first.send(b, note, bytes);
    first.send(b, note, new Tensor('i32', [1], elements));
    bytes.write('after!');
    elements[0] = 8;
    second.drain();
    first.flush();
    second.drain();
    expect(heard.slice(-2)).toEqual([
      Buffer.from('before'),
      new Tensor('i32', [1], Int32Array.of(7)),
    ]);
  });

  it('flushes its outbox when it drains', () => {
    const { first, second } = three();
    kept(second, note);
    fill(first, second, 2);
    second.drain();
    first.drain();
    expect(first.statistics().outboxFrames).toBe(0);
  });

  it('wakes the receiver of a flush once its frames are there', () => {
    const { first, second, inboxOf } = three();
    const bodies = kept(second, note);
    const sent = fill(first, second, 5);
    while (second.drain() > 0);
    const inbox = inboxOf(1);
    expect(inbox.tryListen()).toBe(true);
    expect(first.flush()).toBe(true);
    expect(inbox.wake()).toBe(false);
    second.drain();
    expect(bodies).toEqual(numbers(sent));
  });

  it('wakes the receiver of a message that found no room, in whose way it may have been', () => {
    const { first, inboxOf } = three();
    const inbox = inboxOf(1);
    // The head is claimed and not published, so the receiver sleeps in front of a full inbox.
    inbox.tryClaim(1, 1);
    while (first.send(b, tick, 'x'));
    expect(inbox.tryListen()).toBe(true);
    expect(first.send(b, tick, 'x')).toBe(false);
    expect(inbox.wake()).toBe(false);
  });

  it('still reaches others while one inbox is full', () => {
    const { first, second, third } = three();
    const heard = kept(third, note);
    fill(first, second, 1);
    first.send(c, note, 'free');
    third.drain();
    expect(heard).toEqual(['free']);
  });

  it('refuses a send when the outbox is full, and tells the room before', () => {
    const { first, second } = three();
    kept(second, note);
    expect(first.outboxRoom()).toBe(limits.outboxFramesMax);
    fill(first, second, limits.outboxFramesMax - 1);
    expect(first.outboxRoom()).toBe(1);
    expect(first.send(b, note, 'fits')).toBe(true);
    expect(first.outboxRoom()).toBe(0);
    expect(first.send(b, note, 'does not')).toBe(false);
    expect(first.statistics()).toMatchObject({ refused: 1 });
    second.drain();
    first.flush();
    expect(first.send(b, note, 'fits again')).toBe(true);
  });

  it('sheds a message of such a topic when the inbox is full and never queues it', () => {
    const { first, second } = three();
    const heard = kept(second, tick);
    let sent = 0;
    while (sent < 1_000 && first.send(b, tick, sent)) sent += 1;
    expect(first.statistics()).toMatchObject({ published: sent, shed: 1, outboxFrames: 0 });
    second.drain();
    expect(heard).toEqual(numbers(sent));
    expect(first.send(b, tick, 'room again')).toBe(true);
    // What was shed has no number in the sequence: nothing that was accepted is missing.
    second.drain();
    expect(second.statistics().missing).toBe(0);
  });

  it('throws for a message that no empty inbox takes, waiting or not', () => {
    const { first, second } = three();
    const tooLarge = Buffer.alloc(smallInbox / limits.ringMessageFraction);
    expect(() => first.send(b, note, tooLarge)).toThrowError(refusal('BUS_MESSAGE_TOO_LARGE'));
    expect(() => first.send(b, tick, tooLarge)).toThrowError(refusal('BUS_MESSAGE_TOO_LARGE'));
    fill(first, second, 1);
    expect(() => first.send(b, note, tooLarge)).toThrowError(refusal('BUS_MESSAGE_TOO_LARGE'));
    expect(first.statistics().outboxFrames).toBe(1);
  });

  it('claims nothing for a message it cannot encode', () => {
    const { first, second } = three();
    const heard = kept(second, note);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(() => first.send(b, note, cycle)).toThrowError();
    first.send(b, note, 'fine');
    second.drain();
    expect(heard).toEqual(['fine']);
    expect(second.statistics().missing).toBe(0);
  });

  it('counts a damaged frame and delivers the one behind it', () => {
    const { first, second, inboxOf } = three();
    const heard = kept(second, note);
    const inbox = inboxOf(1);
    const index = inbox.tryClaim(1, 20);
    expect(index).not.toBe(refusedClaim);
    inbox.bytes.fill(0xee, index, index + 20);
    inbox.commit(index);
    first.send(b, note, 'behind');
    second.drain();
    expect(heard).toEqual(['behind']);
    expect(second.statistics()).toMatchObject({ corrupt: 1, received: 1 });
  });

  it('counts the frames that are missing in a sequence', () => {
    const { first, second, inboxOf } = three();
    const heard = kept(second, note);
    first.send(b, note, 'first');
    second.drain();
    for (const body of ['damaged', 'damaged too', 'fourth']) first.send(b, note, body);
    const inbox = inboxOf(1);
    // One slot for each so far; the magic byte is the first of each.
    for (const slot of [1, 2]) inbox.bytes[slot * slotBytes] = 0;
    second.drain();
    expect(heard).toEqual(['first', 'fourth']);
    expect(second.statistics()).toMatchObject({ corrupt: 2, missing: 2 });
  });

  it('loses only the message whose handler throws', () => {
    const { first, second } = three();
    const heard: unknown[] = [];
    second.on(note, (body) => {
      if (body === 'bad') throw new Error('handler');
      heard.push(body);
    });
    for (const body of ['bad', 'good', 'better']) first.send(b, note, body);
    expect(() => second.drain()).toThrowError('handler');
    second.drain();
    expect(heard).toEqual(['good', 'better']);
  });

  it('measures the latency of some of the frames of each topic', () => {
    const { bus, first, second } = three();
    kept(second, note);
    for (const number of numbers(200)) {
      first.send(b, note, number);
      second.drain();
    }
    const { latencies } = bus.monitor.counters.read(second.index);
    const measured = latencies.map((counts) => counts?.reduce((sum, count) => sum + count, 0) ?? 0);
    const index = bus.monitor.topics.findIndex(({ id }) => id === note.id);
    expect(measured[index]).toBeGreaterThan(1);
    expect(measured[index]).toBeLessThan(200);
    expect(Math.max(...measured)).toBe(measured[index]);
  });

  it('drains no more than the limit, and nothing inside a handler', () => {
    const { first, second } = three();
    const inner: number[] = [];
    second.on(note, () => inner.push(second.drain()));
    for (let index = 0; index < 5; index += 1) first.send(b, note, index);
    expect(second.drain(2)).toBe(2);
    expect(second.drain()).toBe(3);
    expect(inner).toEqual([0, 0, 0, 0, 0]);
  });

  it('knows no thread that is not on the bus', () => {
    const { first } = three();
    expect(() => first.send(threadId(9), note, null)).toThrowError('no thread 9');
  });

  it('has one handler for a topic', () => {
    const { first } = three();
    kept(first, note);
    expect(() => first.on(note, () => undefined)).toThrowError('one handler');
  });

  it('waits only in the way that its thread can', () => {
    const { endpoints } = smallBus(['atomics', 'event-loop']);
    const [worker, loop] = endpoints as [Endpoint, Endpoint];
    expect(() => worker.listen()).toThrowError('parks and drains');
    expect(() => loop.park(1)).toThrowError('listens instead');
    expect(() => worker.onReserved(note, () => undefined)).toThrowError('turn in circles');
  });

  it('sleeps no longer than a retry while frames wait, nor than to a deadline', () => {
    const { first, second } = three();
    kept(second, note);
    const slept: (number | undefined)[] = [];
    const wait = vi.spyOn(Atomics, 'wait').mockImplementation((...wanted: unknown[]) => {
      slept.push(wanted[3] as number);
      return 'timed-out';
    });
    fill(first, second, 1);
    first.park(1_000);
    second.drain();
    first.flush();
    first.park(1_000);
    first.ask(b, { ...note, id: note.id }, 'due soon', {
      deadlineMs: 200,
      onReply: () => undefined,
    });
    first.park(1_000);
    wait.mockRestore();
    expect(slept.slice(0, 2)).toEqual([limits.outboxRetryMs, 1_000]);
    expect(slept[2]).toBeGreaterThan(0);
    expect(slept[2]).toBeLessThanOrEqual(200);
  });
});

describe('a bus', () => {
  it('gives every thread an id of its own', () => {
    const thread = { id: a, name: 'same', waits: 'atomics' } as const;
    expect(() => createBus({ threads: [thread, thread], topics: [] })).toThrowError('its own id');
  });

  it('connects doorbells only to threads that listen', () => {
    const { bus } = smallBus(['event-loop', 'atomics', 'event-loop']);
    const seats = [a, b, c].map((id) => seatOf(bus, id));
    // One listener for each other thread and one for the monitor.
    expect(seats.map(({ spec }) => spec.listeners.length)).toEqual([3, 0, 3]);
    expect(seats.map(({ transferList }) => transferList.length)).toEqual([4, 2, 4]);
  });
});

describe('a thread that has ended', () => {
  it('has sent payloads that still arrive, until its receiver has drained past its end', () => {
    const { bus, endpoints } = smallBus(['atomics', 'atomics'], {
      arena: [{ slabBytes: 4_096, slabs: 2 }],
    });
    const [first, second] = endpoints as [Endpoint, Endpoint];
    const live = () => bus.monitor.arena?.statistics()[0]?.slabsLive;
    const heard = kept(second, note) as Lease[];
    const sent = first.arena?.tryAllocate(8) as Lease;
    sent.bytes.fill(7);
    first.send(b, note, sent);
    // Passed on, but the thread ends before it has sent the frame.
    first.arena?.tryAllocate(8)?.transferTo(second.index);
    bus.monitor.threadEnded(a);
    bus.monitor.settle();
    expect(live()).toBe(2);
    expect(second.drain()).toBe(1);
    expect(heard[0]?.bytes).toEqual(Buffer.alloc(8, 7));
    bus.monitor.settle();
    expect(live()).toBe(1);
    heard[0]?.release();
    expect(live()).toBe(0);
  });
});
