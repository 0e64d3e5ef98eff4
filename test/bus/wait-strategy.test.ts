import { afterEach, expect, it, vi } from 'vitest';
import { SharedWords } from '../../src/bus/shared-words.ts';
import { ParkStrategy, SleepFlag, SpinThenParkStrategy } from '../../src/bus/wait-strategy.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function newFlag() {
  const memory = new SharedArrayBuffer(8);
  const words = new SharedWords(memory, 8);
  return {
    view: new Int32Array(memory),
    flag: new SleepFlag(words, 0),
    isAwake: () => words.load(0) === 0,
  };
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
  const { view, flag, isAwake } = newFlag();
  const wait = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
    expect(isAwake()).toBe(false);
    return 'timed-out';
  });
  flag.park(() => true, 1_000);
  expect(wait).toHaveBeenCalledExactlyOnceWith(view, 0, expect.any(Number), 1_000);
  expect(isAwake()).toBe(true);
});

it('wakes a parked consumer once, by a notification and not by the doorbell', () => {
  const { view, flag } = newFlag();
  const notify = vi.spyOn(Atomics, 'notify');
  vi.spyOn(Atomics, 'wait').mockImplementation(() => {
    expect(flag.wake()).toBe(false);
    expect(flag.wake()).toBe(false);
    return 'ok';
  });
  flag.park(() => true, 1_000);
  expect(notify).toHaveBeenCalledExactlyOnceWith(view, 0, 1);
});

it('wakes a consumer anyway, whatever the flag says', () => {
  const { view, flag } = newFlag();
  const notify = vi.spyOn(Atomics, 'notify');
  flag.wakeAnyway();
  expect(notify).toHaveBeenCalledExactlyOnceWith(view, 0, 1);
});

it('spins only until there is mail, and then does not sleep', () => {
  const { flag } = newFlag();
  const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
  const pause = vi.spyOn(Atomics, 'pause');
  const hasMail = vi.fn(() => hasMail.mock.calls.length > 3);
  const mail = { hasMail, isEmpty: () => false };
  new SpinThenParkStrategy(10).wait(mail, flag, 1_000);
  expect([hasMail.mock.calls.length, pause.mock.calls.length, wait.mock.calls.length]).toEqual([
    4, 3, 0,
  ]);
});

it('sleeps after so many spins, or at once', () => {
  const { flag } = newFlag();
  const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
  const pause = vi.spyOn(Atomics, 'pause');
  const mail = { hasMail: () => false, isEmpty: () => true };
  new SpinThenParkStrategy(10).wait(mail, flag, 1_000);
  expect([pause.mock.calls.length, wait.mock.calls.length]).toEqual([10, 1]);
  new ParkStrategy().wait(mail, flag, 1_000);
  expect([pause.mock.calls.length, wait.mock.calls.length]).toEqual([10, 2]);
});
