import { describe, expect, test } from 'vitest';
import {
  BusCounters,
  type ThreadCounters,
  type ThreadCountersView,
} from '../../src/bus/bus-counters.ts';
import {
  countersLayout,
  gaugeFields,
  noTopic,
  ownFields,
  topicFields,
} from '../../src/bus/bus-counters-descriptor.ts';
import { bucketOf, histogramBuckets } from '../../src/bus/latency-histogram.ts';
import { limits } from '../../src/kernel/limits.ts';

const shape = { threads: 3, topics: 4 };

function newCounters(): BusCounters {
  return new BusCounters(BusCounters.allocate(shape), shape);
}

const zeroes = Object.fromEntries(topicFields.map((field) => [field, 0]));

describe('counts of a topic', () => {
  const cases: readonly [string, (own: ThreadCounters) => void, Record<string, number>][] = [
    ['published', (own) => own.published(2, 64), { published: 1, publishedBytes: 64 }],
    ['deferred', (own) => own.deferred(2), { deferred: 1 }],
    ['refused', (own) => own.refused(2), { refused: 1 }],
    ['shed', (own) => own.shed(2), { shed: 1 }],
    ['received', (own) => own.received(2, 100), { received: 1, receivedBytes: 100 }],
    ['denied', (own) => own.denied(2), { denied: 1 }],
    ['dead letters', (own) => own.deadLettered(2), { deadLettered: 1 }],
  ];

  test.each(cases)('%s are counted for that topic alone', (_name, count, expected) => {
    const counters = newCounters();
    count(counters.writer(1));
    const { topics, noTopic: unknown } = counters.read(1);
    expect(topics[2]).toEqual({ ...zeroes, ...expected });
    expect([topics[0], topics[1], topics[3], unknown]).toEqual([zeroes, zeroes, zeroes, zeroes]);
  });

  test('frames of no topic have a row of their own', () => {
    const counters = newCounters();
    const own = counters.writer(1);
    own.deadLettered(noTopic);
    own.denied(noTopic);
    const { noTopic: unknown, topics } = counters.read(1);
    expect(unknown).toEqual({ ...zeroes, deadLettered: 1, denied: 1 });
    expect(topics).toEqual([zeroes, zeroes, zeroes, zeroes]);
  });
});

describe('counts of a thread', () => {
  const cases: readonly [string, (own: ThreadCounters) => void, Record<string, number>][] = [
    ['damaged frames', (own) => own.corrupt(), { corrupt: 1 }],
    ['handlers that threw', (own) => own.handlerFailed(), { handlerFailed: 1 }],
    ['missing frames', (own) => own.missing(7), { missing: 7 }],
    ['wake-ups of others', (own) => own.wokeConsumer(), { wokeConsumer: 1 }],
    ['its own wake-ups', (own) => own.wakeUp(), { wakeUps: 1 }],
    ['the depth of its inbox', (own) => own.depth(9), { depthBytesMax: 9 }],
    ['its outbox', (own) => own.outbox(5), { outboxFrames: 5, outboxFramesMax: 5 }],
  ];

  test.each(cases)('%s', (_name, count, expected) => {
    const counters = newCounters();
    count(counters.writer(1));
    const view = counters.read(1);
    const fields = [...ownFields, ...gaugeFields];
    const own = Object.fromEntries(fields.map((field) => [field, view[field]]));
    expect(own).toEqual({ ...Object.fromEntries(fields.map((field) => [field, 0])), ...expected });
  });

  test('a high-water mark stays when the value falls; the outbox is also told as it is', () => {
    const counters = newCounters();
    const own = counters.writer(0);
    for (const value of [3, 80, 12]) {
      own.depth(value);
      own.outbox(value);
    }
    expect(counters.read(0)).toMatchObject({
      depthBytesMax: 80,
      outboxFrames: 12,
      outboxFramesMax: 80,
    });
  });
});

test('latencies are counted by topic, and a topic without frames has none', () => {
  const counters = newCounters();
  const own = counters.writer(2);
  for (const us of [3, 3, 1_000]) {
    own.received(1, 1);
    own.latency(1, us);
  }
  own.received(3, 1);
  const { latencies } = counters.read(2);
  const [none, measured, alsoNone, unmeasured] = latencies;
  expect([none, alsoNone]).toEqual([null, null]);
  expect(measured?.[3]).toBe(2);
  expect(measured?.[bucketOf(1_000)]).toBe(1);
  expect(measured?.reduce((sum, count) => sum + count)).toBe(3);
  expect(unmeasured).toEqual(new Float64Array(histogramBuckets));
});

test('threads count beside each other, from the first field of each to the last', () => {
  const counters = newCounters();
  const all = [0, 1, 2];
  for (const thread of all) {
    const own = counters.writer(thread);
    for (let count = 0; count <= thread; count += 1) {
      for (let topic = noTopic; topic < shape.topics; topic += 1) own.deadLettered(topic);
      for (let topic = 0; topic < shape.topics; topic += 1) {
        own.received(topic, 10);
        own.latency(topic, 0);
        own.latency(topic, Number.MAX_VALUE);
      }
      own.corrupt();
      own.wakeUp();
    }
  }
  for (const thread of all) {
    const { topics, noTopic: unknown, latencies, corrupt, wakeUps } = counters.read(thread);
    const times = thread + 1;
    const deadLetters = [unknown, ...topics].map(({ deadLettered }) => deadLettered);
    expect(deadLetters).toEqual(Array(shape.topics + 1).fill(times));
    const expected: ThreadCountersView['latencies'][number] = new Float64Array(histogramBuckets);
    expected[0] = times;
    expected[histogramBuckets - 1] = times;
    expect(latencies).toEqual(topics.map(() => expected));
    for (const { received, receivedBytes, published } of topics) {
      expect([received, receivedBytes, published]).toEqual([times, 10 * times, 0]);
    }
    expect([corrupt, wakeUps]).toEqual([times, times]);
  }
});

test('a topic or thread that does not exist is a fault, not a wrong count elsewhere', () => {
  const counters = newCounters();
  const own = counters.writer(0);
  for (const topic of [-2, shape.topics, Number.NaN]) {
    expect(() => own.published(topic, 1)).toThrow('by its index');
    expect(() => own.latency(topic, 1)).toThrow('in the table');
  }
  expect(() => own.latency(noTopic, 1)).toThrow('in the table');
  for (const thread of [-1, 3]) expect(() => counters.writer(thread)).toThrow('no counters');
  expect(() => new BusCounters(BusCounters.allocate(shape), { ...shape, topics: 5 })).toThrow(
    'their own shape',
  );
});

test('blocks of different threads share no pair of cache lines', () => {
  for (const topics of [0, 1, 7, limits.busTopicsMax]) {
    const { blockWords, totalBytes } = countersLayout({ threads: 5, topics });
    expect((blockWords * 4) % 128).toBe(0);
    expect(totalBytes).toBe(5 * blockWords * 4);
  }
  expect(() => countersLayout({ threads: 0, topics: 1 })).toThrow('threads');
  expect(() => countersLayout({ threads: 1, topics: limits.busTopicsMax + 1 })).toThrow('topics');
});
