import { expect, it } from 'vitest';
import {
  a,
  b,
  c,
  deadLetters,
  fill,
  kept,
  note,
  numbers,
  reported,
  three,
  tick,
} from './small-bus.ts';

it('reaches every thread that subscribes, itself included, and no other', () => {
  const { first, second, third } = three();
  const heard = [first, second, third].map((endpoint) => kept(endpoint, tick));
  first.subscribe(tick);
  third.subscribe(tick);
  expect(first.publish(tick, 'one')).toEqual([]);
  third.unsubscribe(tick);
  second.subscribe(tick);
  expect(first.publish(tick, 'two')).toEqual([]);
  for (const endpoint of [first, second, third]) endpoint.drain();
  expect(heard).toEqual([['one', 'two'], ['two'], ['one']]);
});

it('reaches nobody where nobody subscribes', () => {
  const { first } = three();
  expect(first.publish(tick, 'unheard')).toEqual([]);
  expect(first.statistics()).toMatchObject({ published: 0, shed: 0 });
});

it('passes a slow subscriber by and names it to the publisher', () => {
  const { first, second, third } = three();
  const slow = kept(second, tick);
  const fast = kept(third, tick);
  second.subscribe(tick);
  third.subscribe(tick);
  const missed: (readonly number[])[] = [];
  for (let number = 0; number < 100; number += 1) {
    missed.push(first.publish(tick, number));
    third.drain();
  }
  expect(fast).toEqual(numbers(100));
  second.drain();
  const got = slow.length;
  expect(slow).toEqual(numbers(got));
  expect(missed).toEqual([...numbers(got).map(() => []), ...numbers(100 - got).map(() => [b])]);
  expect(first.statistics()).toMatchObject({ published: 100 + got, shed: 100 - got });
});

it('queues for a slow subscriber where the topic waits, and tells of a full outbox', () => {
  const { first, second, third } = three();
  const slow = kept(second, note);
  const fast = kept(third, note);
  second.subscribe(note);
  third.subscribe(note);
  for (const number of numbers(60)) {
    expect(first.publish(note, number)).toEqual([]);
    third.drain();
  }
  expect(fast).toEqual(numbers(60));
  for (let round = 0; round < 60 && slow.length < 60; round += 1) {
    second.drain();
    first.flush();
  }
  expect(slow).toEqual(numbers(60));
  // With every place of the outbox taken, only the thread whose inbox is full misses it.
  fill(first, second, first.outboxRoom());
  expect(first.publish(note, 'last')).toEqual([b]);
  third.drain();
  expect(fast.at(-1)).toBe('last');
});

it('reports each thread for which a message was shed, with the right body', () => {
  const { first, second, third } = three();
  third.subscribe(deadLetters);
  const letters = kept(third, deadLetters) as { to: number; firstBytes: Uint8Array }[];
  for (const endpoint of [first, second]) endpoint.subscribe(reported);
  let missed: readonly number[] = [];
  for (let number = 0; missed.length < 2; number += 1)
    missed = first.publish(reported, `n${number}`);
  expect(missed).toEqual([a, b]);
  third.drain();
  expect(letters.map(({ to }) => to)).toEqual([a, b]);
  const texts = letters.map(({ firstBytes }) => Buffer.from(firstBytes).toString());
  expect(texts[0]).toMatch(/n\d+/);
  expect(texts[1]).toBe(texts[0]);
  expect(c).toBe(third.self);
});
