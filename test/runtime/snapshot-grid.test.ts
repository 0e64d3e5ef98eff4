import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { actorHash } from '../../src/actors/step.ts';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';
import { SnapshotGrid } from '../../src/runtime/snapshot-grid.ts';
import { allOf, answered, runOfSleepers as run, sleeperId, sleepingAgent } from './sleepers.ts';

const pageBytes = 65_536;
const headBytes = 1_024;

function gridIn(memory: SharedArrayBuffer): SnapshotGrid {
  return new SnapshotGrid(memory, 0, memory.byteLength);
}

function gridOf(pages: number): SnapshotGrid {
  return gridIn(new SharedArrayBuffer(pages * pageBytes + headBytes));
}

const seal = { low: 7, high: -9 };

function store(grid: SnapshotGrid, bytes: Uint8Array): number {
  return grid.store(bytes, 3, seal);
}

function taken(grid: SnapshotGrid, place: number): Buffer | null {
  if (!grid.open(place, seal)) return null;
  expect(grid.tag).toBe(3);
  const copy = Buffer.from(grid.bytes.subarray(grid.at, grid.at + grid.length));
  grid.free(place);
  return copy;
}

test('it agrees with a map, whatever is stored, taken and freed', () => {
  const step = fc.record({ length: fc.nat(3_000), out: fc.nat(9), take: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const grid = gridOf(20);
      const held: { place: number; bytes: Buffer }[] = [];
      steps.forEach(({ length, out, take }, index) => {
        const bytes = Buffer.alloc(length, index);
        const place = store(grid, bytes);
        if (place !== 0) held.push({ place, bytes });
        if (out < 4) {
          const [gone] = held.splice(out % Math.max(1, held.length), 1);
          if (gone === undefined) return;
          if (take) expect(taken(grid, gone.place)).toEqual(gone.bytes);
          else grid.free(gone.place);
        }
      });
      expect(new Set(held.map(({ place }) => place)).size).toBe(held.length);
      for (const { place, bytes } of held) expect(taken(grid, place)).toEqual(bytes);
    }),
  );
});

test('a full grid refuses, and has room again for as many', () => {
  const grid = gridOf(2);
  const fill = () => {
    const places: number[] = [];
    for (let place = store(grid, Buffer.alloc(56)); place !== 0; ) {
      places.push(place);
      place = store(grid, Buffer.alloc(56));
    }
    return places;
  };
  const places = fill();
  expect(places).toHaveLength(2_048);
  expect(store(grid, Buffer.alloc(100))).toBe(0);
  for (const place of places) grid.free(place);
  expect(fill().toSorted((a, b) => a - b)).toEqual(places.toSorted((a, b) => a - b));
  grid.clear();
  expect(fill()).toHaveLength(2_048);
  expect(store(gridOf(2), Buffer.alloc(70_000))).toBe(0);
});

describe('slabs that a thread keeps (G4)', () => {
  const small = Buffer.alloc(20);

  test('are few: what one has freed, another has room for', () => {
    const memory = new SharedArrayBuffer(pageBytes + headBytes);
    const [one, other] = [gridIn(memory), gridIn(memory)];
    const places: number[] = [];
    for (let place = store(one, small); place !== 0; place = store(one, small)) places.push(place);
    expect(places).toHaveLength(2_048);
    for (const place of places) one.free(place);
    let found = 0;
    while (store(other, small) !== 0) found += 1;
    expect(found).toBeGreaterThan(1_984 - 1);
    while (store(one, small) !== 0) found += 1;
    expect(found).toBe(2_048);
  });

  test('are free for all after a clear', () => {
    const memory = new SharedArrayBuffer(pageBytes + headBytes);
    const [one, other] = [gridIn(memory), gridIn(memory)];
    one.free(store(one, small));
    one.clear();
    expect(store(other, small)).not.toBe(store(one, small));
  });
});

describe('damage (G5)', () => {
  test('every changed bit of a slab is seen, and a slab of another owner', () => {
    const memory = new SharedArrayBuffer(2 * pageBytes + headBytes);
    const grid = gridIn(memory);
    const all = Buffer.from(memory);
    for (const length of [0, 1, 2, 3, 4, 21, 40]) {
      const bytes = Buffer.alloc(length, 0xa5);
      const place = store(grid, bytes);
      const begin = place * 16;
      for (let bit = 0; bit < 8 * (8 + length); bit += 1) {
        const at = begin + (bit >> 3);
        const was = all.readUInt8(at);
        all.writeUInt8(was ^ (1 << (bit & 7)), at);
        expect(grid.open(place, seal)).toBe(false);
        all.writeUInt8(was, at);
      }
      expect(grid.open(place, { ...seal, low: 8 })).toBe(false);
      expect(grid.open(place, { ...seal, high: 9 })).toBe(false);
      expect(taken(grid, place)).toEqual(bytes);
    }
  });

  test('an actor whose snapshot is damaged is claimed without it, and its place is free', () => {
    const memory = ActorDirectory.allocate({ slots: 64, gridBytes: 3 * pageBytes, templates: 8 });
    const directory = new ActorDirectory(memory);
    const all = Buffer.from(memory);
    for (let round = 0; round < 3; round += 1) {
      const id = sleeperId(round);
      const text = `a text that only number ${round} has`;
      directory.insert(run, id, { host: 9, epoch: 1 });
      const sleeper = sleepingAgent(round, text);
      const { sequence } = sleeper.actor;
      directory.hibernate(run, id, { host: 9, epoch: 1, sequence }, sleeper);
      const at = all.indexOf(text);
      expect(at).toBeGreaterThan(0);
      all.writeUInt8(all.readUInt8(at) ^ 0x20, at);
      const claimed = directory.claim(run, id, { host: 3, epoch: 1 });
      expect(claimed).toMatchObject({ epoch: 2, sleeper: null });
      expect(claimed?.damage?.code).toBe('SNAPSHOT_DAMAGED');
      expect(directory.lookup(run, id)).toEqual({ state: 'owned', host: 3, epoch: 2 });
    }
    expect(directory.counts.damaged).toBe(3);
  });
});

function asleep(directory: ActorDirectory, number: number, epoch = 1): boolean {
  const sleeper = sleepingAgent(number);
  const sequence = sleeper.actor.sequence;
  return directory.hibernate(run, sleeperId(number), { host: 9, epoch, sequence }, sleeper);
}

/** Sends it to sleep with a text; whether it sleeps. */
function sleepsWith(directory: ActorDirectory, number: number, text: string, epoch = 1): boolean {
  const sleeper = sleepingAgent(number, text);
  const from = { host: 9, epoch, sequence: sleeper.actor.sequence };
  return directory.hibernate(run, sleeperId(number), from, sleeper);
}

test('a snapshot of another epoch of the same actor is not believed', () => {
  const memory = ActorDirectory.allocate({ slots: 64, gridBytes: 3 * pageBytes, templates: 8 });
  const directory = new ActorDirectory(memory);
  const all = Buffer.from(memory);
  directory.insert(run, sleeperId(1), { host: 9, epoch: 1 });
  const texts = ['the first text of it', 'the other text of it'];
  expect(sleepsWith(directory, 1, texts[0] ?? '')).toBe(true);
  const at = all.indexOf(texts[0] ?? '');
  const slab = Buffer.from(all.subarray(at - 1_024, at + 1_024));
  expect(directory.claim(run, sleeperId(1), { host: 9, epoch: 1 })?.damage).toBeNull();
  expect(sleepsWith(directory, 1, texts[1] ?? '', 2)).toBe(true);
  expect(all.indexOf(texts[1] ?? '')).toBe(at);
  slab.copy(all, at - 1_024);
  const claimed = directory.claim(run, sleeperId(1), { host: 9, epoch: 2 });
  expect(claimed?.damage?.code).toBe('SNAPSHOT_DAMAGED');
});

test('a full grid makes room among those of one size (D6)', () => {
  const memory = ActorDirectory.allocate({ slots: 256, gridBytes: 6 * pageBytes, templates: 8 });
  const directory = new ActorDirectory(memory);
  const small = 60;
  const count = 200;
  for (let number = 0; number < count; number += 1) {
    directory.insert(run, sleeperId(number), { host: 9, epoch: 1 });
    const text = `${'d'.repeat(number < small ? 9 : 1_500)}${number}`;
    expect(sleepsWith(directory, number, text)).toBe(true);
  }
  const here = Array.from({ length: count }, (_, number) => {
    const claimed = directory.claim(run, sleeperId(number), { host: 3, epoch: 1 });
    return claimed?.sleeper != null;
  });
  expect(here.slice(3, small)).not.toContain(false);
  expect(here.slice(small, small + 20)).not.toContain(true);
  expect(here.slice(-20)).not.toContain(false);
});

test('after a clear all of it is free, templates too', () => {
  const memory = ActorDirectory.allocate({ slots: 256, gridBytes: 6 * pageBytes, templates: 8 });
  const directory = new ActorDirectory(memory);
  const spilled: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    for (let number = 0; number < 100; number += 1) {
      directory.insert(run, sleeperId(number), { host: 9, epoch: 1 });
      expect(sleepsWith(directory, number, `${'d'.repeat(700)}${number}`)).toBe(true);
    }
    spilled.push(directory.counts.spilled);
    expect(directory.counts.templates).toBe(1);
    directory.clear();
    expect(directory.counts.templates).toBe(0);
    expect(directory.lookup(run, sleeperId(5))).toEqual({ state: 'absent' });
  }
  expect(spilled).toEqual([0, 0, 0]);
});

test('a place is free again after a claim, a removal and a lost swap (D5)', () => {
  const memory = ActorDirectory.allocate({ slots: 64, gridBytes: 3 * pageBytes, templates: 64 });
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
  const memory = ActorDirectory.allocate({ slots: 1_024, gridBytes: 2 ** 20, templates: 64 });
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
