import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TurnQueue } from '../../src/inference/turn-queue.ts';
import { limits } from '../../src/kernel/limits.ts';

interface Caller {
  readonly key: string | undefined;
  readonly index: number;
}

/** A queue whose first caller keeps its turn until `open` is called. */
function blockedQueue() {
  const queue = new TurnQueue();
  const gate = Promise.withResolvers<void>();
  const first = queue.run(() => gate.promise);
  return { queue, first, open: gate.resolve };
}

/** Lets all callers wait behind one that runs, and says in which order they were served. */
async function order(keys: readonly (string | undefined)[]): Promise<Caller[]> {
  const { queue, open } = blockedQueue();
  const served: Caller[] = [];
  let running = 0;
  const all = keys.map((key, index) =>
    queue.run(
      async () => {
        running += 1;
        expect(running).toBe(1);
        served.push({ key, index });
        await Promise.resolve();
        running -= 1;
      },
      { key },
    ),
  );
  open();
  await Promise.all(all);
  return served;
}

describe('the turns of a model', () => {
  test('are as many at once as the model serves, and all come', async () => {
    const queue = new TurnQueue(3);
    let running = 0;
    let most = 0;
    const served = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        queue.run(
          async () => {
            running += 1;
            most = Math.max(most, running);
            await new Promise((resolve) => setTimeout(resolve, index % 4));
            running -= 1;
            return index;
          },
          { key: index % 2 === 0 ? 'even' : undefined },
        ),
      ),
    );
    expect(most).toBe(3);
    expect(served).toEqual(Array.from({ length: 20 }, (_, index) => index));
    await queue.idle();
    expect(running).toBe(0);
    // All places are free again.
    const gates = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
    const three = gates.map(({ promise }) => queue.run(() => promise));
    let idle = false;
    const waiting = queue.idle().then(() => {
      idle = true;
    });
    for (const [index, gate] of gates.entries()) {
      expect(idle).toBe(false);
      gate.resolve();
      await three[index];
      await new Promise((resolve) => setImmediate(resolve));
    }
    await waiting;
  });

  test('alternate between keys, so that one call passes a long run', async () => {
    const served = await order(['run', 'run', 'run', 'run', undefined, 'other', 'other']);
    expect(served.map(({ index }) => index)).toEqual([0, 4, 5, 1, 6, 2, 3]);
  });

  test('are in order within a key, and no key waits longer than the number of keys', async () => {
    const keys = fc.array(fc.constantFrom('a', 'b', 'c', 'd', undefined), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(keys, async (waiting) => {
        const served = await order(waiting);
        expect(served).toHaveLength(waiting.length);
        for (const key of new Set(waiting)) {
          const turns = served.flatMap((caller, turn) => (caller.key === key ? [turn] : []));
          const indexes = turns.map((turn) => served[turn]?.index ?? -1);
          expect(indexes).toEqual(indexes.toSorted((left, right) => left - right));
          const gaps = turns.map((turn, nth) => turn - (turns[nth - 1] ?? -1));
          expect(Math.max(...gaps)).toBeLessThanOrEqual(new Set(waiting).size);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('come once to a key that always has the next caller ready', async () => {
    const { queue, open } = blockedQueue();
    const served: string[] = [];
    const chain = async (left: number): Promise<void> => {
      if (left === 0) return;
      const next = queue.run(
        async () => {
          served.push('run');
          void chain(left - 1);
        },
        { key: 'run' },
      );
      await next;
    };
    void chain(6);
    const single = queue.run(async () => void served.push('single'), { key: 'single' });
    open();
    await single;
    await queue.idle();
    expect(served).toEqual(['run', 'single', 'run', 'run', 'run', 'run', 'run']);
  });

  test('pass over who left the line, and are not lost by who leaves too late', async () => {
    const { queue, open } = blockedQueue();
    const aborts = [new AbortController(), new AbortController(), new AbortController()];
    const served: number[] = [];
    const calls = aborts.map(({ signal }, index) =>
      queue.run(
        async () => {
          served.push(index);
          aborts[index]?.abort();
        },
        { key: 'run', signal },
      ),
    );
    aborts[1]?.abort();
    open();
    const results = await Promise.allSettled(calls);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'INFERENCE_ABORTED' } });
    expect(served).toEqual([0, 2]);
    const late = queue.run(async () => 'served', aborts[1] ?? {});
    await expect(late).rejects.toMatchObject({ code: 'INFERENCE_ABORTED' });
    expect(await queue.run(async () => 'served')).toBe('served');
  });

  test('go on after work that failed', async () => {
    const { queue, first, open } = blockedQueue();
    const failing = queue.run(() => Promise.reject(new Error('injected')));
    const next = queue.run(async () => 'next');
    open();
    await expect(failing).rejects.toThrow('injected');
    expect(await next).toBe('next');
    await first;
  });

  test('are refused to more callers than may wait', async () => {
    const { queue, open } = blockedQueue();
    const served: number[] = [];
    const waiting = Array.from({ length: limits.actuatorQueueMax }, (_, index) =>
      queue.run(async () => void served.push(index), { key: `run ${index % 7}` }),
    );
    await expect(queue.run(async () => undefined)).rejects.toMatchObject({
      code: 'ACTUATOR_BUSY',
      retryable: true,
    });
    open();
    await Promise.all(waiting);
    expect(served).toHaveLength(limits.actuatorQueueMax);
    expect(await queue.run(async () => 'room again')).toBe('room again');
  });

  test('are over when the queue is idle', async () => {
    const { queue, open } = blockedQueue();
    const served: number[] = [];
    void queue.run(async () => void served.push(1), { key: 'a' });
    void queue.run(async () => void served.push(2), { key: 'b' });
    const idle = queue.idle();
    open();
    await idle;
    expect(served).toEqual([1, 2]);
    await queue.idle();
  });
});

describe('priorities', () => {
  test('serve the urgent first, and nobody waits for ever', async () => {
    const queue = new TurnQueue();
    const served: string[] = [];
    const gate = Promise.withResolvers<void>();
    const blocking = queue.run(() => gate.promise);
    const ask = (name: string, priority: 'high' | 'normal' | 'low') =>
      queue.run(async () => void served.push(name), { priority });
    const all = [
      ask('low', 'low'),
      ask('normal', 'normal'),
      ...Array.from({ length: 8 }, (_, index) => ask(`high ${index}`, 'high')),
    ];
    gate.resolve();
    await Promise.all([blocking, ...all]);
    expect(served.slice(0, 4)).toEqual(['high 0', 'high 1', 'high 2', 'high 3']);
    // Passed over four times, so it is their turn (T4).
    expect(served.indexOf('normal')).toBe(4);
    expect(served.indexOf('low')).toBe(5);
  });
});
