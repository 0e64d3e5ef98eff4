import { describe, expect, test } from 'vitest';
import { noTopic } from '../../src/bus/bus-counters-descriptor.ts';
import { busStatistics, takeSnapshot } from '../../src/bus/bus-statistics.ts';
import { CountedBus } from './counted-bus.ts';

function times(count: number, action: () => void): void {
  for (let index = 0; index < count; index += 1) action();
}

/** What happens in a window of two seconds that follows other traffic. */
function watch(bus: CountedBus, earlier: () => void, window: () => void) {
  earlier();
  const before = takeSnapshot(bus, 10_000);
  window();
  return busStatistics(before, takeSnapshot(bus, 12_000));
}

describe('rates and totals', () => {
  test('totals are of all time, rates of the window, for threads and for topics', () => {
    const bus = new CountedBus();
    const traffic = (): void => {
      bus.left.published(0, 50);
      bus.right.received(0, 50);
      bus.right.published(1, 8);
      bus.left.received(1, 8);
    };
    const { threads, topics, windowMs } = watch(
      bus,
      () => times(100, traffic),
      () => times(6, traffic),
    );
    expect(windowMs).toBe(2_000);
    const [left, right] = threads;
    expect(left).toMatchObject({
      name: 'left',
      received: { total: 106, perSecond: 3 },
      receivedBytes: { total: 848, perSecond: 24 },
      published: { total: 106, perSecond: 3 },
      publishedBytes: { total: 5_300, perSecond: 150 },
    });
    expect(right).toMatchObject({ name: 'right', receivedBytes: { total: 5_300, perSecond: 150 } });
    expect(topics.map(({ name }) => name)).toEqual(['tick', 'tock']);
    expect(topics[1]).toMatchObject({
      published: { total: 106, perSecond: 3 },
      receivedBytes: { total: 848, perSecond: 24 },
    });
  });

  test('what several threads count for one topic is one sum', () => {
    const bus = new CountedBus();
    const { topics } = watch(
      bus,
      () => bus.left.refused(1),
      () => {
        times(2, () => bus.left.refused(1));
        times(4, () => bus.right.refused(1));
        bus.right.denied(0);
      },
    );
    expect(topics[1]?.refused).toEqual({ total: 7, perSecond: 3 });
    expect(topics.map(({ denied }) => denied.total)).toEqual([1, 0]);
  });

  test('a window without length has no speed', () => {
    const bus = new CountedBus();
    const before = takeSnapshot(bus, 5);
    bus.left.published(0, 1);
    const [left] = busStatistics(before, takeSnapshot(bus, 5)).threads;
    expect(left?.published).toEqual({ total: 1, perSecond: 0 });
  });

  test('frames of no topic are shown once there are any', () => {
    const bus = new CountedBus();
    const quiet = watch(
      bus,
      () => undefined,
      () => undefined,
    );
    expect(quiet.topics).toHaveLength(2);
    const { topics, threads } = watch(
      bus,
      () => undefined,
      () => bus.right.deadLettered(noTopic),
    );
    expect(topics.at(-1)).toMatchObject({ name: 'unknown', deadLettered: { total: 1 } });
    expect(threads[1]?.deadLettered.total).toBe(1);
  });
});

describe('latencies', () => {
  const heard = (bus: CountedBus, topic: number, us: number): void => {
    bus.left.received(topic, 1);
    bus.left.latency(topic, us);
  };

  test('are of the window alone, of each topic and of the whole inbox', () => {
    const bus = new CountedBus();
    const { threads, topics } = watch(
      bus,
      () => times(1_000, () => heard(bus, 0, 5_000)),
      () => {
        times(3, () => heard(bus, 0, 2));
        heard(bus, 1, 14);
      },
    );
    expect(threads[0]?.latency).toEqual({ samples: 4, p50Us: 2, p99Us: 14, maxUs: 14 });
    expect(threads[1]?.latency).toBeNull();
    expect(topics.map(({ latency }) => latency?.p99Us)).toEqual([2, 14]);
  });

  test('a quiet window has none, whatever there was before', () => {
    const bus = new CountedBus();
    const { threads } = watch(
      bus,
      () => heard(bus, 0, 7),
      () => undefined,
    );
    expect(threads[0]?.latency).toBeNull();
  });
});

describe('what is as it is', () => {
  test('depth, high-water mark, outbox and faults of a thread', () => {
    const bus = new CountedBus();
    bus.depths.set(7, 640);
    bus.right.depth(900);
    bus.right.outbox(12);
    bus.right.outbox(4);
    bus.right.corrupt();
    bus.right.missing(3);
    bus.right.handlerFailed();
    const [, right] = watch(
      bus,
      () => undefined,
      () => bus.right.wakeUp(),
    ).threads;
    expect(right).toMatchObject({
      depthBytes: 640,
      depthBytesMax: 900,
      capacityBytes: 1_024,
      gapsSkipped: 7,
      wakeUps: { total: 1, perSecond: 0.5 },
      outboxFrames: 4,
      outboxFramesMax: 12,
      corrupt: 1,
      missing: 3,
      handlerFailed: 1,
    });
  });

  test('a depth above every mark of a drain is the mark', () => {
    const bus = new CountedBus();
    bus.left.depth(10);
    bus.depths.set(0, 700);
    const [left] = watch(
      bus,
      () => undefined,
      () => undefined,
    ).threads;
    expect(left?.depthBytesMax).toBe(700);
  });

  test('a ring beside the bus is the sum of all who count for it', () => {
    const bus = new CountedBus();
    const { sideRings } = watch(
      bus,
      () => bus.side.writer(0).received(0, 4),
      () => {
        times(2, () => bus.side.writer(0).received(0, 4));
        bus.side.writer(1).refused(0);
        bus.side.writer(1).depth(99);
      },
    );
    expect(sideRings).toHaveLength(1);
    expect(sideRings[0]).toMatchObject({
      name: 'log',
      depthBytes: 5,
      depthBytesMax: 99,
      received: { total: 3, perSecond: 1 },
      refused: { total: 1, perSecond: 0.5 },
    });
  });

  test('the arena is that of the later snapshot, by class and in sum', () => {
    const bus = new CountedBus();
    const small = {
      slabBytes: 4_096,
      slabs: 8,
      slabsLive: 2,
      slabsHighWater: 3,
      bytesLive: 5_000,
      refusals: 1,
    };
    const large = { ...small, slabBytes: 16_384, slabs: 2, bytesLive: 100 };
    const { arena } = watch(
      bus,
      () => undefined,
      () => {
        bus.arena = { statistics: () => [small, large] };
      },
    );
    expect(arena).toEqual({
      capacityBytes: 8 * 4_096 + 2 * 16_384,
      bytesLive: 5_100,
      refusals: 2,
      classes: [small, large],
    });
  });
});
