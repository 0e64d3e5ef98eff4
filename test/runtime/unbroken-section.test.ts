import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { UnbrokenSection } from '../../src/runtime/unbroken-section.ts';

/** A thread that is in its section for so long, again and again. */
async function counting(insideMs: number) {
  const section = new UnbrokenSection();
  const counts = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(new URL('./section-worker.ts', import.meta.url), {
    workerData: { memory: section.memory, counts, insideMs },
  });
  onTestFinished(async () => void (await worker.terminate()));
  await once(worker, 'online');
  await Atomics.waitAsync(counts, 0, 0).value;
  return { section, counts, worker };
}

describe('a section', () => {
  test('that is shut was left whole, and is not entered again (U1, U2)', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { section, counts, worker } = await counting(3);
      await sleep(Math.random() * 10);
      expect(await section.shut(5_000)).toBe(true);
      const [begun, done, outside] = counts;
      expect(begun).toBe(done);
      await sleep(10);
      // At most what follows the section is still done.
      expect([counts[0], counts[1]]).toEqual([begun, done]);
      expect((counts[2] ?? 0) - (outside ?? 0)).toBeLessThanOrEqual(1);
      expect(await section.shut(1)).toBe(true);
      await worker.terminate();
    }
  });

  test('that lasts too long is not waited for', async () => {
    const { section, counts } = await counting(2_000);
    expect(await section.shut(20)).toBe(false);
    expect([counts[0], counts[1]]).toEqual([1, 0]);
  });

  test('gives back what was done in it, is open after an error, and is not nested', () => {
    const section = new UnbrokenSection();
    expect(section.run(() => 7)).toBe(7);
    const failing = () => {
      throw new Error('it failed');
    };
    expect(() => section.run(failing)).toThrow('it failed');
    expect(section.run(() => 8)).toBe(8);
    expect(() => section.run(() => section.run(() => 9))).toThrow(/not nested/);
  });
});
