import { describe, expect, test } from 'vitest';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { DurableWaiters } from '../../src/runtime/durable-waiters.ts';
import type { DurableNotice } from '../../src/runtime/journal-worker/protocol.ts';

function notice(position: number): DurableNotice {
  return { position, segment: 1, offset: position * 8, sequence: position };
}

async function settledOf(promise: Promise<void>): Promise<string> {
  const settled = promise.then(
    () => 'released',
    (error: RuntimeError) => error.code,
  );
  return Promise.race([settled, new Promise<string>((resolve) => setImmediate(resolve, 'waits'))]);
}

describe('waiting for the disk', () => {
  test('a waiter is released at its position or above, never below (W1)', async () => {
    const waiters = new DurableWaiters();
    const [five, six] = [waiters.whenDurable(5), waiters.whenDurable(6)];
    waiters.advance(notice(4));
    expect(await settledOf(five)).toBe('waits');
    waiters.advance(notice(5));
    expect([await settledOf(five), await settledOf(six)]).toEqual(['released', 'waits']);
    waiters.advance(notice(9));
    expect(await settledOf(six)).toBe('released');
    expect(await settledOf(waiters.whenDurable(9))).toBe('released');
  });

  test('a notice that comes late moves nothing back', async () => {
    const waiters = new DurableWaiters();
    expect(waiters.end).toBeUndefined();
    waiters.advance(notice(7));
    waiters.advance(notice(3));
    expect(waiters.end).toEqual({ segment: 1, offset: 56 });
    expect(await settledOf(waiters.whenDurable(7))).toBe('released');
  });

  test('a failed journal refuses every waiter, present and later, whatever is told afterwards (W2)', async () => {
    const waiters = new DurableWaiters();
    waiters.advance(notice(1));
    const present = waiters.whenDurable(5);
    waiters.fail(new RuntimeError('DISK_FULL', 'The disk is full.'));
    waiters.advance(notice(5));
    expect(await settledOf(present)).toBe('DISK_FULL');
    expect(await settledOf(waiters.whenDurable(1))).toBe('DISK_FULL');
  });
});
