import { describe, expect, it } from 'vitest';
import { threadId } from '../../src/bus/thread-id.ts';
import { defineTopic, type TopicSpec } from '../../src/bus/topic.ts';
import { notFound, TopicTable } from '../../src/bus/topic-table.ts';
import { limits } from '../../src/kernel/limits.ts';

const [a, b, c] = [threadId(3), threadId(9), threadId(40)];
const threads = [a, b, c];

function topic(id: number, rules: Partial<TopicSpec> = {}): TopicSpec {
  return { id, name: `topic-${id}`, policy: 'wait', publishers: [], subscribers: [], ...rules };
}

describe('a topic table', () => {
  it('finds topics and threads by their ids, in the order they were given', () => {
    const table = new TopicTable(threads, [topic(7), topic(2)]);
    expect([7, 2, 3, limits.busTopicsMax, 65_535].map((id) => table.topicIndex(id))).toEqual([
      0,
      1,
      notFound,
      notFound,
      notFound,
    ]);
    expect([3, 9, 40, 0].map((id) => table.threadIndex(id))).toEqual([0, 1, 2, notFound]);
    expect(table.topic(1).id).toBe(2);
    expect(() => table.topic(2)).toThrowError('no topic has the index 2');
  });

  it('permits what the topic names and refuses all else', () => {
    const table = new TopicTable(threads, [
      topic(1, { publishers: [a], subscribers: [b, c] }),
      topic(2, { publishers: 'everyone' }),
      topic(3),
    ]);
    const grid = [0, 1, 2].map((index) => ({
      send: threads.map((_, thread) => table.maySend(index, thread)),
      receive: threads.map((_, thread) => table.mayReceive(index, thread)),
    }));
    expect(grid).toEqual([
      { send: [true, false, false], receive: [false, true, true] },
      { send: [true, true, true], receive: [false, false, false] },
      { send: [false, false, false], receive: [false, false, false] },
    ]);
  });

  it('refuses topics and threads that are not there', () => {
    const table = new TopicTable(threads, [
      topic(1, { publishers: 'everyone', subscribers: 'everyone' }),
      topic(2, { publishers: 'everyone', subscribers: 'everyone' }),
    ]);
    // Index −1 of the second topic would be the last thread of the first.
    expect([
      table.maySend(notFound, 0),
      table.maySend(1, notFound),
      table.mayReceive(9, 0),
    ]).toEqual([false, false, false]);
  });

  it('takes no two topics of one id or one name', () => {
    expect(() => new TopicTable(threads, [topic(1), topic(1, { name: 'other' })])).toThrowError(
      'two topics have the id 1',
    );
    expect(() => new TopicTable(threads, [topic(1), topic(2, { name: 'topic-1' })])).toThrowError(
      'names differ',
    );
  });
});

describe('a topic', () => {
  it('has an id in range and a name for people', () => {
    expect(() => defineTopic(topic(limits.busTopicsMax))).toThrowError('not a topic id');
    expect(() => defineTopic(topic(-1))).toThrowError('not a topic id');
    expect(() => defineTopic(topic(1, { name: 'Not So' }))).toThrowError('not a topic name');
    expect(defineTopic<string>(topic(5)).name).toBe('topic-5');
  });
});
