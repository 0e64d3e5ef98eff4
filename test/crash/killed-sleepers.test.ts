/**
 * Goal: whether a host dies while its actors are asleep, while one of them wakes, or
 * because the memory of its thread is full, they go on at its return and their run
 * comes to the result of an undisturbed one.
 */
import { beforeAll, expect, test } from 'vitest';
import type { HostKilledRun } from './kill-host.ts';
import { runSleepers } from './killed-sleepers.ts';

let plain: HostKilledRun;

beforeAll(async () => {
  plain = await runSleepers(null, { count: 0 });
  expect(plain).toMatchObject({ problems: [], run: { status: 'succeeded' } });
});

test.for([
  ['asleep', 4],
  ['waking', 3],
  ['starved-waking', 2],
] as const)('a host dies at %s, passage %i', async ([death, count]) => {
  const killed = await runSleepers(death, { count });
  expect(killed.problems).toEqual([]);
  expect(killed.run).toMatchObject({ status: 'succeeded', resultHash: plain.run.resultHash });
  expect(killed.run.usage).toEqual(plain.run.usage);
  expect(killed.report).toBe(plain.report);
});
