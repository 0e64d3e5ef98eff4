import { describe, expect, it } from 'vitest';
import { Subscriptions } from '../../src/bus/subscriptions.ts';
import { limits } from '../../src/kernel/limits.ts';

const everyThread = Array.from({ length: limits.busThreadsMax }, (_, index) => index);

/** Two openers of the same memory, as two threads have. */
function two(topics = 3): [Subscriptions, Subscriptions] {
  const memory = Subscriptions.allocate(topics);
  return [new Subscriptions(memory), new Subscriptions(memory)];
}

describe('subscriptions', () => {
  it('are seen by other openers, each topic and thread for itself', () => {
    const [here, there] = two();
    for (const thread of [0, 31, 32, 63]) here.add(1, thread);
    expect(everyThread.filter((thread) => there.has(1, thread))).toEqual([0, 31, 32, 63]);
    expect(everyThread.filter((thread) => there.has(0, thread) || there.has(2, thread))).toEqual(
      [],
    );
    here.remove(1, 31);
    here.remove(1, 63);
    expect(everyThread.filter((thread) => there.has(1, thread))).toEqual([0, 32]);
  });

  it('tell whether anybody subscribes', () => {
    const [here, there] = two();
    expect(there.hasAny(2)).toBe(false);
    here.add(2, 40);
    expect([there.hasAny(0), there.hasAny(1), there.hasAny(2)]).toEqual([false, false, true]);
    here.remove(2, 40);
    expect(there.hasAny(2)).toBe(false);
  });

  it('end with their thread, which others can notice', () => {
    const [here, there] = two();
    const before = there.endings();
    for (const topic of [0, 1, 2]) for (const thread of [4, 5, 36]) here.add(topic, thread);
    here.end(36);
    expect(everyThread.filter((thread) => there.hasEnded(thread))).toEqual([36]);
    for (const topic of [0, 1, 2]) {
      expect(everyThread.filter((thread) => there.has(topic, thread))).toEqual([4, 5]);
    }
    expect(there.endings()).not.toBe(before);
  });

  it('exist only for topics and threads that can be', () => {
    const [here] = two();
    expect(() => here.add(3, 0)).toThrowError('no topic has the index 3');
    expect(() => here.add(-1, 0)).toThrowError('no topic has the index -1');
    expect(() => here.add(0, limits.busThreadsMax)).toThrowError('not a thread');
  });
});
