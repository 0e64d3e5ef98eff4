import { expect, test } from 'vitest';
import { clockActuator } from '../../src/actuators/clock.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import { actuatorContext } from './actuator-context.ts';

/** Timers that fire when told to, and remember how long they were to wait. */
function manualTimers() {
  const pending: { delayMs: number; fire: () => void }[] = [];
  return {
    pending,
    timer: (delayMs: number, fire: () => void) => {
      const entry = { delayMs, fire };
      pending.push(entry);
      return () => pending.splice(pending.indexOf(entry), 1);
    },
    fireNext: () => pending.shift()?.fire(),
  };
}

function wakeAt(at: number, clock: ManualClock, timers = manualTimers(), signal?: AbortSignal) {
  const wake = clockActuator((delayMs, fire) => timers.timer(delayMs, fire)).operations.wake;
  const context = actuatorContext('/', { clock, ...(signal ? { signal } : {}) });
  return Promise.resolve(wake?.perform(wake.arguments.parse({ at }), context));
}

test('wakes at the absolute time', async () => {
  const clock = new ManualClock(1_000);
  const timers = manualTimers();
  const woken = wakeAt(1_500, clock, timers);
  expect(timers.pending[0]?.delayMs).toBe(500);
  clock.advance(500);
  timers.fireNext();
  expect(await woken).toEqual({ at: 1_500 });
});

test('goes on waiting when a timer fires early', async () => {
  const clock = new ManualClock(0);
  const timers = manualTimers();
  const woken = wakeAt(100, clock, timers);
  clock.advance(99);
  timers.fireNext();
  expect(timers.pending[0]?.delayMs).toBe(1);
  clock.advance(1);
  timers.fireNext();
  expect(await woken).toEqual({ at: 100 });
});

test('needs no timer for a time that has passed', async () => {
  const timers = manualTimers();
  expect(await wakeAt(5, new ManualClock(6), timers)).toEqual({ at: 5 });
  expect(timers.pending).toEqual([]);
});

test('waits longer than one timer can', async () => {
  const clock = new ManualClock(0);
  const timers = manualTimers();
  const year = 365 * 24 * 3_600_000;
  const woken = wakeAt(year, clock, timers);
  let turns = 0;
  while (timers.pending[0] !== undefined) {
    expect(timers.pending[0].delayMs).toBeLessThan(2 ** 31);
    clock.advance(timers.pending[0].delayMs);
    timers.fireNext();
    turns += 1;
  }
  expect(await woken).toEqual({ at: year });
  expect(turns).toBe(15);
});

test('is called off by an abort, before and while it waits', async () => {
  const timers = manualTimers();
  const controller = new AbortController();
  const woken = wakeAt(10, new ManualClock(0), timers, controller.signal);
  controller.abort();
  await expect(woken).rejects.toMatchObject({ code: 'INTENTION_ABORTED' });
  expect(timers.pending).toEqual([]);
  const late = wakeAt(10, new ManualClock(0), timers, controller.signal);
  await expect(late).rejects.toMatchObject({ code: 'INTENTION_ABORTED' });
});

test('wakes on the real clock no earlier than asked', async () => {
  const wake = clockActuator().operations.wake;
  const at = Date.now() + 20;
  await wake?.perform({ at }, actuatorContext('/'));
  expect(Date.now()).toBeGreaterThanOrEqual(at);
});
