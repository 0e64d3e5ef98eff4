import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DeadLetter } from '../../src/bus/dead-letters.ts';
import { threadId } from '../../src/bus/thread-id.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import { limits } from '../../src/kernel/limits.ts';
import { BusSampler } from '../../src/runtime/bus-view.ts';
import { CountedBus } from '../bus/counted-bus.ts';

const noLetters = { total: 0, latest: () => [] };

let bus: CountedBus;
let clock: ManualClock;

beforeEach(() => {
  vi.useFakeTimers();
  bus = new CountedBus();
  clock = new ManualClock(50_000);
});

afterEach(() => {
  vi.useRealTimers();
});

/** Lets time pass for the sampler and its timer. */
function pass(ms: number): void {
  clock.advance(ms);
  vi.advanceTimersByTime(ms);
}

function send(messages: number): void {
  for (let index = 0; index < messages; index += 1) bus.left.received(0, 10);
}

test('the window goes back one interval at least, and two at most', () => {
  const sampler = new BusSampler(bus, noLetters, clock);
  const windows: number[] = [];
  for (let step = 0; step < 50; step += 1) {
    pass(limits.busSampleMs / 10);
    windows.push(sampler.view().windowMs);
  }
  sampler.stop();
  const settled = windows.slice(10);
  expect(Math.min(...settled)).toBeGreaterThanOrEqual(limits.busSampleMs);
  expect(Math.max(...settled)).toBeLessThan(2 * limits.busSampleMs);
});

test('right after the start the window is as long as there is something to tell', () => {
  const sampler = new BusSampler(bus, noLetters, clock);
  send(3);
  pass(500);
  const { windowMs, threads } = sampler.view();
  sampler.stop();
  expect(windowMs).toBe(500);
  expect(threads[0]?.received).toEqual({ total: 3, perSecond: 6 });
});

test('traffic leaves the rates once the window has passed, and stays in the totals', () => {
  const sampler = new BusSampler(bus, noLetters, clock);
  send(100);
  pass(limits.busSampleMs * 3);
  const { threads } = sampler.view();
  sampler.stop();
  expect(threads[0]?.received).toEqual({ total: 100, perSecond: 0 });
});

test('every view is of now, not of the last look', () => {
  const sampler = new BusSampler(bus, noLetters, clock);
  pass(limits.busSampleMs * 2);
  send(5);
  const { threads } = sampler.view();
  sampler.stop();
  expect(threads[0]?.received.total).toBe(5);
});

test('a loop that was blocked for long still tells a whole window', () => {
  const sampler = new BusSampler(bus, noLetters, clock);
  pass(limits.busSampleMs);
  clock.advance(60_000);
  send(61);
  const { windowMs, threads } = sampler.view();
  sampler.stop();
  expect(windowMs).toBe(60_000);
  expect(threads[0]?.received.perSecond).toBeCloseTo(61 / 60);
});

test('after the stop nobody looks any more', () => {
  const sampler = new BusSampler(bus, noLetters, clock);
  expect(vi.getTimerCount()).toBe(1);
  sampler.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test('dead letters are told by the names of threads and topics', () => {
  const header = {
    type: 'message',
    topic: 20,
    from: threadId(0),
    correlation: 0,
    sequence: 1,
    cause: null,
    sentAtUs: null,
  } as const;
  const letter: DeadLetter = {
    reason: 'no-handler',
    detail: '',
    reporter: threadId(7),
    to: threadId(7),
    header,
    lengthBytes: 99,
    firstBytes: Uint8Array.of(1),
  };
  const damaged: DeadLetter = { ...letter, reason: 'corrupt', detail: 'bad magic', header: null };
  const stranger: DeadLetter = { ...letter, header: { ...header, topic: 999, from: threadId(5) } };
  const latest = (): DeadLetter[] => [letter, damaged, stranger];
  const sampler = new BusSampler(bus, { total: 12, latest }, clock);
  const { deadLetters } = sampler.view();
  sampler.stop();
  const known = { to: 'right', reporter: 'right', lengthBytes: 99 };
  expect(deadLetters).toEqual({
    total: 12,
    latest: [
      { ...known, reason: 'no-handler', detail: '', topic: 'tock', from: 'left' },
      { ...known, reason: 'corrupt', detail: 'bad magic', topic: null, from: null },
      { ...known, reason: 'no-handler', detail: '', topic: null, from: null },
    ],
  });
});
