import { afterEach, expect, it, vi } from 'vitest';
import { SleepFlag } from '../../src/bus/wait-strategy.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function newFlag() {
  const words = new Int32Array(new SharedArrayBuffer(4));
  return { words, flag: new SleepFlag(words, 0), isAwake: () => Atomics.load(words, 0) === 0 };
}

it('does not sleep when mail came between the last look and the saying so', () => {
  const { flag, isAwake } = newFlag();
  const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
  // Empty as long as nobody was told that the consumer sleeps, and never after.
  flag.park(isAwake, 1_000);
  expect(wait).not.toHaveBeenCalled();
  expect(flag.wake()).toBe(false);
  expect(flag.tryListen(isAwake)).toBe(false);
  expect(flag.wake()).toBe(false);
});

it('sleeps for the given time when there is no mail, and says so before', () => {
  const { words, flag, isAwake } = newFlag();
  const wait = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
    expect(isAwake()).toBe(false);
    return 'timed-out';
  });
  flag.park(() => true, 1_000);
  expect(wait).toHaveBeenCalledExactlyOnceWith(words, 0, expect.any(Number), 1_000);
  expect(isAwake()).toBe(true);
});

it('wakes a parked consumer once, by a notification and not by the doorbell', () => {
  const { words, flag } = newFlag();
  const notify = vi.spyOn(Atomics, 'notify');
  vi.spyOn(Atomics, 'wait').mockImplementation(() => {
    expect(flag.wake()).toBe(false);
    expect(flag.wake()).toBe(false);
    return 'ok';
  });
  flag.park(() => true, 1_000);
  expect(notify).toHaveBeenCalledExactlyOnceWith(words, 0, 1);
});
