import { expect, test } from 'vitest';
import { newRunId } from '../../src/kernel/ids.ts';
import { ForksUnderWay } from '../../src/runtime/forks-under-way.ts';

test('a run is begun with until the last of its forks is done, however it ends', async () => {
  const forks = new ForksUnderWay();
  const [run, other] = [newRunId(), newRunId()];
  const [one, two] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
  const [first, second] = [one, two].map(({ promise }) => forks.of(run, () => promise));
  let settled = false;
  const done = forks.settled().then(() => {
    settled = true;
  });
  expect([forks.has(run), forks.has(other)]).toEqual([true, false]);
  one.resolve(1);
  expect(await first).toBe(1);
  expect([forks.has(run), settled]).toEqual([true, false]);
  two.reject(new Error('it failed'));
  await expect(second).rejects.toThrow('it failed');
  await done;
  expect(forks.has(run)).toBe(false);
  await forks.settled();
});
