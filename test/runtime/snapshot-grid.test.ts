import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { actorHash } from '../../src/actors/step.ts';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';
import { SnapshotGrid } from '../../src/runtime/snapshot-grid.ts';
import { allOf, answered, runOfSleepers as run, sleeperId, sleepingAgent } from './sleepers.ts';

function gridOf(pages: number): SnapshotGrid {
  const bytes = pages * 65_536 + 1_024;
  return new SnapshotGrid(new SharedArrayBuffer(bytes), 0, bytes);
}

test('it agrees with a map, whatever is stored, taken and freed', () => {
  const step = fc.record({ length: fc.nat(3_000), out: fc.nat(9), take: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const grid = gridOf(8);
      const held: { place: number; bytes: Buffer }[] = [];
      steps.forEach(({ length, out, take }, index) => {
        const bytes = Buffer.alloc(length, index);
        const place = grid.store(bytes);
        if (place !== 0) held.push({ place, bytes });
        if (out < 4) {
          const [gone] = held.splice(out % Math.max(1, held.length), 1);
          if (gone === undefined) return;
          if (take) expect(grid.take(gone.place)).toEqual(gone.bytes);
          else grid.free(gone.place);
        }
      });
      expect(new Set(held.map(({ place }) => place)).size).toBe(held.length);
      for (const { place, bytes } of held) expect(grid.take(place)).toEqual(bytes);
    }),
  );
});

test('a full grid refuses, and has room again for as many', () => {
  const grid = gridOf(2);
  const fill = () => {
    const places: number[] = [];
    for (let place = grid.store(Buffer.alloc(60)); place !== 0; ) {
      places.push(place);
      place = grid.store(Buffer.alloc(60));
    }
    return places;
  };
  const places = fill();
  expect(places).toHaveLength(2_048);
  expect(grid.store(Buffer.alloc(100))).toBe(0);
  for (const place of places) grid.free(place);
  expect(fill().toSorted((a, b) => a - b)).toEqual(places.toSorted((a, b) => a - b));
  grid.clear();
  expect(fill()).toHaveLength(2_048);
  expect(gridOf(2).store(Buffer.alloc(70_000))).toBe(0);
});

function asleep(directory: ActorDirectory, number: number, epoch = 1): boolean {
  const sleeper = sleepingAgent(number);
  const sequence = sleeper.actor.sequence;
  return directory.hibernate(run, sleeperId(number), { host: 9, epoch, sequence }, sleeper);
}

test('a place is free again after a claim, a removal and a lost swap (D5)', () => {
  const memory = ActorDirectory.allocate({ slots: 64, gridBytes: 66_560, textBytes: 65_536 });
  const directory = new ActorDirectory(memory);
  // More rounds than the only page has slabs.
  for (let round = 0; round < 3_000; round += 1) {
    directory.insert(run, sleeperId(1), { host: 9, epoch: 1 });
    expect(asleep(directory, 1, 2)).toBe(false);
    expect(asleep(directory, 1)).toBe(true);
    if (round % 2 === 0) {
      const claimed = directory.claim(run, sleeperId(1), { host: 3, epoch: 1 });
      if (claimed?.sleeper == null) throw new Error(`round ${round} finds no room`);
    }
    directory.remove(run, sleeperId(1));
  }
});

test('of threads that wake agents, one gets each, whole, and it goes on as if it had never slept', async () => {
  const rounds = 300;
  const memory = ActorDirectory.allocate({ slots: 1_024, gridBytes: 2 ** 20, textBytes: 2 ** 17 });
  const directory = new ActorDirectory(memory);
  for (let round = 0; round < rounds; round += 1) {
    directory.insert(run, sleeperId(round), { host: 9, epoch: 1 });
    expect(asleep(directory, round)).toBe(true);
  }
  const gate = new SharedArrayBuffer(4);
  const woken = await Promise.all(
    [0, 1].map(async (host) => {
      const workerData = { memory, gate, run, host, rounds, threads: 2 };
      const racer = new Worker(new URL('./waking-racer.ts', import.meta.url), { workerData });
      const [hashes] = (await once(racer, 'message')) as [[number, string][]];
      return hashes;
    }),
  );
  const all = woken.flat().sort(([left], [right]) => left - right);
  const expected = Array.from({ length: rounds }, (_, round) => {
    const next = answered(sleepingAgent(round).actor, 'z');
    return [round, actorHash(next.state)];
  });
  expect(all).toEqual(expected);
  // Each has gone to sleep once more, in the thread that had it.
  for (let round = 0; round < rounds; round += 1) {
    const claimed = directory.claim(run, sleeperId(round), { host: 5, epoch: 2 });
    if (claimed?.sleeper == null) throw new Error(`${round} has no snapshot`);
    const next = { ...sleepingAgent(round), actor: answered(sleepingAgent(round).actor, 'z') };
    expect(allOf(claimed.sleeper)).toEqual(allOf(next));
  }
});
