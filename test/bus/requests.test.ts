import { describe, expect, it } from 'vitest';
import { PendingRequests } from '../../src/bus/requests.ts';
import { limits } from '../../src/kernel/limits.ts';

const [asked, topic] = [4, 2];
const source = { from: asked, topic };

interface Settled {
  readonly name: string;
  readonly code: string | null;
  readonly reply: unknown;
}

/** A list of requests, and what became of each, in order. */
function watched() {
  const requests = new PendingRequests();
  const settled: Settled[] = [];
  const open = (name: string, deadlineMs: number, { nowMs = 0, to = asked } = {}) => {
    const correlation = requests.tryOpen(
      {
        to,
        topic,
        deadlineMs,
        onReply: (error, reply) => settled.push({ name, code: error?.code ?? null, reply }),
      },
      nowMs,
    );
    if (correlation === null) throw new Error('the list is full');
    return correlation;
  };
  return { requests, settled, open, names: () => settled.map(({ name }) => name) };
}

describe('pending requests', () => {
  it('give each reply to its own request, once', () => {
    const { requests, settled, open } = watched();
    const [first, second] = [open('first', 10), open('second', 10)];
    requests.take(second, source)?.(null, 'two');
    requests.take(first, source)?.(null, 'one');
    expect(settled).toEqual([
      { name: 'second', code: null, reply: 'two' },
      { name: 'first', code: null, reply: 'one' },
    ]);
    expect(requests.take(first, source)).toBeNull();
    expect(requests.size).toBe(0);
  });

  it('take no reply from another thread or on another topic', () => {
    const { requests, open } = watched();
    const correlation = open('first', 10);
    expect(requests.take(correlation, { from: asked + 1, topic })).toBeNull();
    expect(requests.take(correlation, { from: asked, topic: topic + 1 })).toBeNull();
    expect(requests.take(correlation + 1, source)).toBeNull();
    expect(requests.take(correlation, source)).not.toBeNull();
  });

  it('expire at their own deadlines, however they were opened', () => {
    const { requests, open, names } = watched();
    open('late', 300);
    open('early', 100);
    open('middle', 100, { nowMs: 50 });
    expect(requests.nearestMs()).toBe(100);
    requests.expire(99);
    expect(names()).toEqual([]);
    requests.expire(100);
    expect(names()).toEqual(['early']);
    expect(requests.nearestMs()).toBe(150);
    requests.expire(1_000);
    expect(names()).toEqual(['early', 'late', 'middle']);
    expect(requests.nearestMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('say how long they waited, and that another try may succeed', () => {
    const requests = new PendingRequests();
    const errors: unknown[] = [];
    const spec = { to: asked, topic, deadlineMs: 25 };
    requests.tryOpen({ ...spec, onReply: (error) => errors.push(error) }, 0);
    requests.expire(25);
    expect(errors).toEqual([
      expect.objectContaining({
        code: 'BUS_REQUEST_EXPIRED',
        retryable: true,
        message: 'No reply came within 25 ms.',
      }),
    ]);
  });

  it('do not expire once they have their reply', () => {
    const { requests, open, names } = watched();
    requests.take(open('answered', 10), source)?.(null, null);
    open('open', 20);
    requests.expire(15);
    requests.expire(25);
    expect(names()).toEqual(['answered', 'open']);
  });

  it('fail with the thread that was asked, and only those', () => {
    const { requests, settled, open } = watched();
    open('dead', 10, { to: 7 });
    open('alive', 10, { to: 8 });
    requests.threadEnded(7);
    expect(settled).toEqual([{ name: 'dead', code: 'BUS_THREAD_ENDED', reply: null }]);
    expect(requests.nearestMs()).toBe(10);
  });

  it('all fail when the thread leaves, and are settled by then', () => {
    const { requests, settled, open } = watched();
    open('first', 10);
    open('second', 20);
    requests.close();
    expect(settled.map(({ code }) => code)).toEqual(['BUS_CLOSED', 'BUS_CLOSED']);
    requests.expire(1_000);
    expect(settled).toHaveLength(2);
  });

  it('given up are not heard of again', () => {
    const { requests, settled, open } = watched();
    const correlation = open('first', 10);
    expect(requests.giveUp(correlation)).toBe(true);
    expect(requests.giveUp(correlation)).toBe(false);
    expect(requests.take(correlation, source)).toBeNull();
    requests.expire(100);
    expect(settled).toEqual([]);
  });

  it('may be opened by what an expiry calls', () => {
    const { requests, open, names } = watched();
    const again = () => open('again', 10, { nowMs: 10 });
    requests.tryOpen({ to: asked, topic, deadlineMs: 10, onReply: again }, 0);
    requests.expire(10);
    expect(requests.nearestMs()).toBe(20);
    requests.expire(20);
    expect(names()).toEqual(['again']);
  });

  it('are bounded, and take more once one is settled', () => {
    const { requests, open } = watched();
    const first = open('first', 10);
    for (let index = 1; index < limits.busRequestsMax; index += 1) open('other', 10);
    const spec = { to: asked, topic, deadlineMs: 10, onReply: () => undefined };
    expect(requests.tryOpen(spec, 0)).toBeNull();
    requests.giveUp(first);
    expect(requests.tryOpen(spec, 0)).not.toBeNull();
  });

  it('have a deadline that a timer can wait for', () => {
    const { open } = watched();
    expect(() => open('none', 0)).toThrowError('not a deadline');
    expect(() => open('endless', Number.POSITIVE_INFINITY)).toThrowError('not a deadline');
    expect(() => open('long', limits.requestDeadlineMsMax)).not.toThrow();
  });
});
