import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Output } from '../../src/cli/output.ts';
import { StopSwitch } from '../../src/cli/stop-switch.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import { limits } from '../../src/kernel/limits.ts';

class Exit extends Error {
  readonly status: number | undefined;

  constructor(status: number | undefined) {
    super('exit');
    this.status = status;
  }
}

const silent = { write: () => undefined };
const output = new Output({ stdout: silent, stderr: silent }, { json: false });

function newSwitch(clock = new ManualClock()) {
  let signal = (): void => undefined;
  const io = {
    stdout: silent,
    stderr: silent,
    lines: async function* () {},
    environment: {},
    cwd: '.',
    onSignal: (listener: (name: NodeJS.Signals) => void) => {
      signal = () => listener('SIGINT');
      return () => undefined;
    },
  };
  return { stop: new StopSwitch(io, output, clock), signal: () => signal() };
}

beforeEach(() => {
  vi.spyOn(process, 'exit').mockImplementation((status) => {
    throw new Exit(Number(status));
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('a second signal ends the process at once, the echo of the first does not', async () => {
  const clock = new ManualClock();
  const { stop, signal } = newSwitch(clock);
  signal();
  expect(await stop.requested).toBe('stop');
  clock.advance(100);
  signal();
  clock.advance(500);
  expect(signal).toThrow(expect.objectContaining({ status: 130 }));
});

test('the runtime is stopped also when the work fails, and the failure is kept', async () => {
  const { stop } = newSwitch();
  const stopped = vi.fn(async () => undefined);
  const work = stop.guard(() => Promise.reject(new Error('work')), stopped);
  await expect(work).rejects.toThrow('work');
  expect(stopped).toHaveBeenCalledOnce();
});

test('a stop that takes longer than its limit ends the process', async () => {
  vi.useFakeTimers();
  const { stop } = newSwitch();
  void stop.guard(
    async () => 0,
    () => new Promise(() => undefined),
  );
  await vi.advanceTimersByTimeAsync(limits.shutdownMsMax - 1);
  expect(process.exit).not.toHaveBeenCalled();
  expect(() => vi.advanceTimersByTime(1)).toThrow(expect.objectContaining({ status: 1 }));
});
