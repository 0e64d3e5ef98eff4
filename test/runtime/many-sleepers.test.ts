import { expect, test } from 'vitest';
import { noInstances, sleepAll, wakeAll } from '../../bench/hibernate/instances.ts';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';

// `npm run bench:hibernate` does the same with a million.
const agents = 16_384;

test('many agents sleep at once, each in 250 bytes, and each wakes as it was and goes on', () => {
  const instances = noInstances(agents);
  sleepAll(instances);
  const directory = new ActorDirectory(instances.memory);
  expect(directory.usedBytes / agents).toBeLessThanOrEqual(250);
  const { slots, bytes } = directory.counts;
  expect(slots.used).toBe(agents);
  expect(directory.counts).toMatchObject({ snapshots: agents, templates: 1 });
  expect(wakeAll(instances)).toBe(agents);
  expect(() => wakeAll(instances)).toThrow('every agent sleeps');
  expect(directory.counts).toEqual({
    slots,
    bytes,
    snapshots: 0,
    spilled: 0,
    damaged: 0,
    templates: 1,
  });
  directory.freeUnused();
  expect(directory.counts.templates).toBe(0);
}, 60_000);

test('an agent that is not what it was is found', () => {
  const instances = noInstances(3);
  sleepAll(instances);
  const hashes = Buffer.from(instances.hashes);
  hashes.writeUInt8(hashes.readUInt8(64) ^ 1, 64);
  expect(() => wakeAll(instances)).toThrow('agent 2 is what it was');
});
