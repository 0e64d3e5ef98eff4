/** The order of a recovery, its repetition, and its end when deaths go on: with parts that record what is asked. */
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../src/kernel/clock.ts';
import type { RuntimeError } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';
import { HostRecovery, type HostRecoveryParts } from '../../src/runtime/host-recovery.ts';
import { SteppedEvent } from '../../src/runtime/stepped-event.ts';

function recorded(replaced: Partial<HostRecoveryParts> = {}) {
  const asked: string[] = [];
  const failures: RuntimeError[] = [];
  const suspended: [string, RuntimeError][] = [];
  const step = (name: string) => async (): Promise<void> => {
    asked.push(name);
  };
  const clock = new ManualClock();
  const recovery = new HostRecovery({
    endHosts: step('end'),
    startHosts: step('start'),
    whenJournaled: step('journaled'),
    pause: () => asked.push('pause'),
    forgetActors: () => asked.push('forget'),
    resumeAll: async () => {
      asked.push('resume');
      return 1;
    },
    suspend: (run, error) => {
      asked.push('suspend');
      suspended.push([run, error]);
    },
    onNotice: () => undefined,
    onFailure: (error) => failures.push(error),
    clock,
    ...replaced,
  });
  return { recovery, asked, failures, suspended, clock };
}

const idle = { host: 0, error: null, stepped: null };
const wholly = ['end', 'journaled', 'forget', 'start', 'resume'];

describe('the recovery of hosts', () => {
  test('waits for the journal between the end of all hosts and the new ones', async () => {
    const { recovery, asked } = recorded();
    recovery.died(idle);
    expect(asked).toEqual(['pause']);
    await recovery.settled();
    expect(asked).toEqual(['pause', ...wholly]);
    expect(recovery).toMatchObject({ deaths: 1, restarts: 1 });
  });

  test('begins anew when a host dies meanwhile, at any of its steps', async () => {
    for (const [at, name] of wholly.entries()) {
      let deaths = 0;
      const dieAt = (step: string): void => {
        if (step === name && deaths++ === 0) parts.recovery.died(idle);
      };
      const take = (step: string): void => {
        parts.asked.push(step);
        dieAt(step);
      };
      const parts = recorded({
        endHosts: async () => take('end'),
        whenJournaled: async () => take('journaled'),
        forgetActors: () => take('forget'),
        startHosts: async () => {
          take('start');
          // As a pool whose host ended before it was ready.
          if (name === 'start' && deaths === 1) {
            deaths += 1;
            throw new Error('ended early');
          }
        },
        resumeAll: async () => {
          take('resume');
          return 1;
        },
      });
      parts.recovery.died(idle);
      await parts.recovery.settled();
      expect(parts.failures, name).toEqual([]);
      expect(parts.asked.slice(-wholly.length), name).toEqual(wholly);
      expect(parts.asked.filter((each) => each === 'end').length, name).toBe(2);
      expect(parts.asked.filter((each) => each === 'pause').length, `${name} ${at}`).toBe(2);
      expect(parts.recovery.restarts, name).toBe(1);
    }
  });

  test('suspends the run whose event is fatal each time, and no other', async () => {
    const { recovery, asked, suspended } = recorded();
    for (let death = 1; death < limits.deathsPerEventMax; death += 1) {
      recovery.died({ ...idle, stepped: 'r1:7:run/document-1' });
      await recovery.settled();
    }
    recovery.died({ ...idle, stepped: 'r1:8:run/document-1' });
    await recovery.settled();
    for (let death = 1; death <= limits.deathsPerEventMax; death += 1) {
      expect(suspended).toEqual([]);
      recovery.died({ ...idle, stepped: 'r2:0:run:odd' });
      await recovery.settled();
    }
    expect(suspended).toMatchObject([['r2', { code: 'EVENT_FATAL' }]]);
    expect(suspended[0]?.[1].message).toContain('event 1 of run:odd');
    expect(asked.lastIndexOf('suspend')).toBeLessThan(asked.lastIndexOf('resume'));
  });

  test('ends with the runtime when hosts die too often, and not when they die seldom', async () => {
    const { recovery, failures, clock, asked } = recorded();
    for (let death = 0; death < 3 * limits.hostRestartsMax; death += 1) {
      recovery.died(idle);
      await recovery.settled();
      clock.advance(limits.hostRestartWindowMs / limits.hostRestartsMax);
    }
    expect(failures).toEqual([]);
    clock.advance(limits.hostRestartWindowMs);
    for (let death = 0; death <= limits.hostRestartsMax; death += 1) {
      expect(failures).toEqual([]);
      recovery.died(idle);
      await recovery.settled();
    }
    expect(failures).toMatchObject([{ code: 'INTERNAL' }]);
    const before = asked.length;
    recovery.died(idle);
    await recovery.settled();
    expect(asked.length).toBe(before);
  });

  test('is over when it fails without a further death, or is stopped', async () => {
    const failing = recorded({ whenJournaled: () => Promise.reject(new Error('no journal')) });
    failing.recovery.died(idle);
    await failing.recovery.settled();
    expect(failing.failures).toMatchObject([{ message: 'no journal' }]);
    expect(failing.asked).not.toContain('start');

    const stopped = recorded();
    stopped.recovery.died(idle);
    stopped.recovery.stop();
    await stopped.recovery.settled();
    expect(stopped.asked).not.toContain('start');
  });
});

test('the event that a host is at is read once, whatever its length', () => {
  const host = new SteppedEvent();
  const main = new SteppedEvent(host.memory);
  expect(main.take()).toBeNull();
  const actor = { run: 'r', id: 'run/a', sequence: 4 } as never;
  host.set(actor);
  expect(main.take()).toBe('r:4:run/a');
  expect(main.take()).toBeNull();
  host.set(actor);
  host.set(null);
  expect(main.take()).toBeNull();
  host.set({ run: 'r', id: 'é'.repeat(2_000), sequence: 4 } as never);
  expect(main.take()?.startsWith('r:4:éé')).toBe(true);
});
