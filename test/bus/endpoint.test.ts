import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BusMessage, Endpoint, ThreadSpec } from '../../src/bus/endpoint.ts';
import { createBus, openEndpoint, threadId } from '../../src/bus/endpoint.ts';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { limits } from '../../src/kernel/limits.ts';

const [a, b, c] = [threadId(0), threadId(1), threadId(2)];
const smallInbox = 1_024;
const opened: Endpoint[] = [];

afterEach(() => {
  vi.restoreAllMocks();
  for (const endpoint of opened.splice(0)) endpoint.close();
});

/** Opens every seat of a bus inside this one thread. */
function open(threads: ThreadSpec[]): {
  endpoints: Endpoint[];
  inboxOf: (index: number) => ManyToOneRingBuffer;
} {
  const seats = [...createBus(threads).values()];
  const endpoints = seats.map(({ spec }) => openEndpoint(spec));
  opened.push(...endpoints);
  return {
    endpoints,
    inboxOf: (index) => {
      const inbox = seats[0]?.spec.peers[index]?.inbox;
      if (inbox === undefined) throw new Error('no such thread');
      return new ManyToOneRingBuffer(inbox);
    },
  };
}

function three() {
  const threads = [a, b, c].map(
    (id): ThreadSpec => ({ id, waits: 'atomics', inboxBytes: smallInbox }),
  );
  const { endpoints, inboxOf } = open(threads);
  const [first, second, third] = endpoints as [Endpoint, Endpoint, Endpoint];
  return { first, second, third, inboxOf };
}

function drained(endpoint: Endpoint, limit?: number): BusMessage[] {
  const messages: BusMessage[] = [];
  endpoint.drain((message) => messages.push(message), limit);
  return messages;
}

/** Sends numbered messages until the inbox is full and `waiting` more wait in the outbox. */
function fill(from: Endpoint, to: Endpoint, waiting: number): number {
  let sent = 0;
  while (from.statistics().outboxFrames < waiting) {
    expect(from.send(to.self, 1, sent)).toBe(true);
    sent += 1;
  }
  return sent;
}

describe('an endpoint', () => {
  it('delivers topic, sender, correlation and body', () => {
    const { first, second } = three();
    expect(first.send(b, 12, { text: 'hello', list: [1, null] }, 99)).toBe(true);
    expect(first.send(b, 13, Buffer.from('plain'))).toBe(true);
    expect(drained(second)).toEqual([
      { topic: 12, from: a, correlation: 99, body: { text: 'hello', list: [1, null] } },
      { topic: 13, from: a, correlation: 0, body: Buffer.from('plain') },
    ]);
  });

  it('delivers to itself', () => {
    const { first } = three();
    first.send(a, 1, 'note');
    expect(drained(first).map(({ body, from }) => [from, body])).toEqual([[a, 'note']]);
  });

  it('queues while an inbox is full and keeps the order of send', () => {
    const { first, second } = three();
    const sent = fill(first, second, 50);
    const bodies: unknown[] = [];
    for (let round = 0; round < sent && bodies.length < sent; round += 1) {
      bodies.push(...drained(second).map(({ body }) => body));
      first.flush();
    }
    expect(bodies).toEqual(Array.from({ length: sent }, (_, index) => index));
    expect(first.flush()).toBe(true);
    expect(first.statistics()).toMatchObject({ sent, deferred: 50, outboxFrames: 0, refused: 0 });
    expect(second.statistics()).toMatchObject({ received: sent, corrupt: 0, depthBytes: 0 });
  });

  it('does not overtake its own waiting frames once there is room again', () => {
    const { first, second } = three();
    const sent = fill(first, second, 1);
    drained(second, 5);
    first.send(b, 1, 'last');
    drained(second);
    first.flush();
    expect(drained(second).map(({ body }) => body)).toEqual([sent - 1, 'last']);
  });

  it('keeps bytes that the caller changes while they wait', () => {
    const { first, second } = three();
    fill(first, second, 1);
    const bytes = Buffer.from('before');
    first.send(b, 2, bytes);
    bytes.write('after!');
    drained(second);
    first.flush();
    expect(drained(second).map(({ body }) => body)).toContainEqual(Buffer.from('before'));
  });

  it('flushes its outbox when it drains', () => {
    const { first, second } = three();
    fill(first, second, 2);
    drained(second);
    drained(first);
    expect(first.statistics().outboxFrames).toBe(0);
  });

  it('still reaches others while one inbox is full', () => {
    const { first, second, third } = three();
    fill(first, second, 1);
    first.send(c, 1, 'free');
    expect(drained(third).map(({ body }) => body)).toEqual(['free']);
  });

  it('refuses a send when the outbox is full, and tells the room before', () => {
    const { first, second } = three();
    expect(first.outboxRoom()).toBe(limits.outboxFramesMax);
    fill(first, second, limits.outboxFramesMax - 1);
    expect(first.outboxRoom()).toBe(1);
    expect(first.send(b, 1, 'fits')).toBe(true);
    expect(first.outboxRoom()).toBe(0);
    expect(first.send(b, 1, 'does not')).toBe(false);
    expect(first.statistics()).toMatchObject({ refused: 1 });
    drained(second);
    first.flush();
    expect(first.send(b, 1, 'fits again')).toBe(true);
  });

  it('sheds an offer when the inbox is full and never queues it', () => {
    const { first, second } = three();
    let offered = 0;
    while (offered < 1_000 && first.offer(b, 1, offered)) offered += 1;
    expect(first.statistics()).toMatchObject({ sent: offered, refused: 1, outboxFrames: 0 });
    expect(drained(second)).toHaveLength(offered);
    expect(first.offer(b, 1, 'room again')).toBe(true);
  });

  it('throws for a message that no empty inbox takes, waiting or not', () => {
    const { first, second } = three();
    const tooLarge = Buffer.alloc(smallInbox / limits.ringMessageFraction);
    const refusal = expect.objectContaining({ code: 'BUS_MESSAGE_TOO_LARGE' });
    expect(() => first.send(b, 1, tooLarge)).toThrowError(refusal);
    expect(() => first.offer(b, 1, tooLarge)).toThrowError(refusal);
    fill(first, second, 1);
    expect(() => first.send(b, 1, tooLarge)).toThrowError(refusal);
    expect(first.statistics().outboxFrames).toBe(1);
  });

  it('claims nothing for a message it cannot encode', () => {
    const { first, second } = three();
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(() => first.send(b, 1, cycle)).toThrowError(RangeError);
    expect(() => first.send(b, 70_000, 'topic')).toThrowError('not a topic');
    first.send(b, 1, 'fine');
    expect(drained(second).map(({ body }) => body)).toEqual(['fine']);
  });

  it('counts a damaged frame and delivers the one behind it', () => {
    const { first, second, inboxOf } = three();
    const inbox = inboxOf(1);
    const index = inbox.tryClaim(1, 20);
    expect(index).not.toBe(refusedClaim);
    inbox.bytes.fill(0xee, index, index + 20);
    inbox.commit(index);
    first.send(b, 1, 'behind');
    expect(drained(second).map(({ body }) => body)).toEqual(['behind']);
    expect(second.statistics()).toMatchObject({ corrupt: 1, received: 1 });
  });

  it('loses only the message whose handler throws', () => {
    const { first, second } = three();
    for (const body of ['bad', 'good', 'better']) first.send(b, 1, body);
    expect(() =>
      second.drain(() => {
        throw new Error('handler');
      }),
    ).toThrowError('handler');
    expect(drained(second).map(({ body }) => body)).toEqual(['good', 'better']);
  });

  it('sends from inside its handler', () => {
    const { first, second } = three();
    first.send(b, 1, 'question', 5);
    second.drain(({ from, correlation }) => {
      second.send(from, 2, 'answer', correlation);
    });
    expect(drained(first)).toEqual([{ topic: 2, from: b, correlation: 5, body: 'answer' }]);
  });

  it('drains no more than the limit', () => {
    const { first, second } = three();
    for (let index = 0; index < 5; index += 1) first.send(b, 1, index);
    expect(drained(second, 2)).toHaveLength(2);
    expect(drained(second)).toHaveLength(3);
  });

  it('knows no thread that is not on the bus', () => {
    const { first } = three();
    expect(() => first.send(threadId(9), 1, null)).toThrowError('no thread 9');
  });

  it('waits only in the way that its thread can', () => {
    const { endpoints } = open([
      { id: a, waits: 'atomics', inboxBytes: smallInbox },
      { id: b, waits: 'event-loop', inboxBytes: smallInbox },
    ]);
    const [worker, loop] = endpoints as [Endpoint, Endpoint];
    expect(() => worker.listen(() => undefined)).toThrowError('parks and drains');
    expect(() => loop.park(1)).toThrowError('listens instead');
  });

  it('sleeps no longer than a retry while frames wait', () => {
    const { first, second } = three();
    fill(first, second, 1);
    const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
    first.park(1_000);
    expect(wait.mock.calls.map(([, , , timeoutMs]) => timeoutMs)).toEqual([limits.outboxRetryMs]);
    drained(second);
    first.flush();
    first.park(1_000);
    expect(wait.mock.calls.map(([, , , timeoutMs]) => timeoutMs)).toEqual([
      limits.outboxRetryMs,
      1_000,
    ]);
  });
});

describe('an endpoint that listens', () => {
  function listening() {
    const { endpoints, inboxOf } = open([
      { id: a, waits: 'event-loop', inboxBytes: smallInbox },
      { id: b, waits: 'event-loop', inboxBytes: smallInbox },
    ]);
    const [first, second] = endpoints as [Endpoint, Endpoint];
    return { first, second, inboxOf };
  }

  /** Resolves with the first `count` bodies. */
  function heard(endpoint: Endpoint, count: number): Promise<unknown[]> {
    return new Promise((resolve) => {
      const bodies: unknown[] = [];
      endpoint.listen(({ body }) => {
        bodies.push(body);
        if (bodies.length === count) resolve(bodies);
      });
    });
  }

  it('hears mail from before and from after it fell asleep', async () => {
    const { first, second } = listening();
    first.send(b, 1, 'before');
    let bodies = heard(second, 3);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    first.send(b, 1, 'asleep');
    first.send(b, 1, 'awake');
    expect(await bodies).toEqual(['before', 'asleep', 'awake']);
    bodies = heard(first, 1);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    first.send(a, 1, 'to itself');
    expect(await bodies).toEqual(['to itself']);
  });

  it('retries what waits in its outbox without being asked', async () => {
    const { first, second } = listening();
    const sent = fill(first, second, 40);
    expect(await heard(second, sent)).toEqual(Array.from({ length: sent }, (_, index) => index));
  });

  it('lets timers run between slices of an inbox that never empties', async () => {
    const { first } = listening();
    let rounds = 0;
    let timerFired = false;
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        timerFired = true;
      }, 1);
      first.listen(() => {
        rounds += 1;
        if (timerFired && rounds > 4 * limits.drainFramesMax) resolve();
        first.send(a, 1, rounds);
      });
      first.send(a, 1, 0);
    });
    expect(rounds).toBeGreaterThan(4 * limits.drainFramesMax);
    expect(first.statistics()).toMatchObject({ refused: 0, corrupt: 0 });
  });

  it('calls no handler after close, even within a batch', async () => {
    const { first, second } = listening();
    for (let index = 0; index < 5; index += 1) first.send(b, 1, index);
    const bodies: unknown[] = [];
    await new Promise<void>((resolve) => {
      second.listen(({ body }) => {
        bodies.push(body);
        second.close();
        setImmediate(() => setImmediate(resolve));
      });
    });
    first.send(b, 1, 'late');
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(bodies).toEqual([0]);
  });
});

describe('a bus', () => {
  it('gives every thread an id of its own', () => {
    expect(() =>
      createBus([
        { id: a, waits: 'atomics' },
        { id: a, waits: 'atomics' },
      ]),
    ).toThrowError('its own id');
  });

  it('connects doorbells only to threads that listen', () => {
    const seats = createBus([
      { id: a, waits: 'event-loop', inboxBytes: smallInbox },
      { id: b, waits: 'atomics', inboxBytes: smallInbox },
      { id: c, waits: 'event-loop', inboxBytes: smallInbox },
    ]);
    expect([...seats.values()].map(({ spec }) => spec.listeners.length)).toEqual([2, 0, 2]);
    expect([...seats.values()].map(({ transferList }) => transferList.length)).toEqual([3, 2, 3]);
  });
});
