import { expect, test } from 'vitest';
import { sleepAll, wakeAll } from '../../bench/hibernate/instances.ts';

// `npm run bench:hibernate` does the same with a million.
const agents = 16_384;

test('many agents sleep at once, each in 250 bytes, and each wakes as it was and goes on', () => {
  const instances = sleepAll(agents);
  expect(instances.directory.usedBytes / agents).toBeLessThanOrEqual(250);
  expect(wakeAll(instances)).toBe(agents);
  expect(() => wakeAll(instances)).toThrow('every agent sleeps');
  expect(instances.directory.counts).toEqual({ spilled: 0, damaged: 0 });
}, 60_000);

test('an agent that is not what it was is found', () => {
  const instances = sleepAll(3);
  instances.hashes.writeUInt8(instances.hashes.readUInt8(64) ^ 1, 64);
  expect(() => wakeAll(instances)).toThrow('agent 2 is what it was');
});
