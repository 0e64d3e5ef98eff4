import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ActorId, actorId, newRunId, runId } from '../../src/kernel/ids.ts';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';
import { ActorKey } from '../../src/runtime/actor-key.ts';

const run = newRunId();
const first = actorId('run/first');

function directoryOf(slots: number): ActorDirectory {
  return new ActorDirectory(ActorDirectory.allocate({ slots, gridBytes: 0, templates: 64 }));
}

function numbered(number: number): ActorId {
  return actorId(`run/a${number}`);
}

describe('keys (D1)', () => {
  test('an actor is known from its insertion to its removal', () => {
    const directory = directoryOf(16);
    expect(directory.lookup(run, first)).toEqual({ state: 'absent' });
    expect(directory.insert(run, first, { host: 3, epoch: 1 })).toBe(true);
    expect(directory.lookup(run, first)).toEqual({ state: 'owned', host: 3, epoch: 1 });
    expect(directory.lookup(newRunId(), first)).toEqual({ state: 'absent' });
    directory.remove(run, first);
    expect(directory.lookup(run, first)).toEqual({ state: 'absent' });
    directory.remove(run, first);
    expect(directory.insert(run, first, { host: 0, epoch: 7 })).toBe(true);
    expect(directory.lookup(run, first)).toEqual({ state: 'owned', host: 0, epoch: 7 });
  });

  test('an actor that exists is not inserted again', () => {
    const directory = directoryOf(16);
    directory.insert(run, first, { host: 0, epoch: 1 });
    expect(() => directory.insert(run, first, { host: 1, epoch: 1 })).toThrow('(D1)');
  });

  test('two actors whose keys agree in the low word are two', () => {
    const memory = ActorDirectory.allocate({ slots: 16, gridBytes: 0, templates: 8 });
    // With this secret the low words of these two are equal.
    new Int32Array(memory).set([1, 2], 3);
    const directory = new ActorDirectory(memory);
    const known = runId('019a0000-0000-7000-8000-000000000000');
    const [one, other] = [numbered(19_463), numbered(49_202)];
    const key = new ActorKey(1, 2);
    key.of(known, one);
    const { low } = key;
    key.of(known, other);
    expect(key.low).toBe(low);
    directory.insert(known, one, { host: 1, epoch: 1 });
    expect(directory.lookup(known, other)).toEqual({ state: 'absent' });
    directory.insert(known, other, { host: 2, epoch: 5 });
    expect(directory.lookup(known, one)).toEqual({ state: 'owned', host: 1, epoch: 1 });
    expect(directory.lookup(known, other)).toEqual({ state: 'owned', host: 2, epoch: 5 });
    directory.remove(known, one);
    expect(directory.lookup(known, other)).toEqual({ state: 'owned', host: 2, epoch: 5 });
  });

  test('a full table refuses, and takes another once one is gone', () => {
    const directory = directoryOf(8);
    for (let number = 0; number < 8; number += 1) {
      expect(directory.insert(run, numbered(number), { host: number, epoch: 1 })).toBe(true);
    }
    expect(directory.insert(run, first, { host: 0, epoch: 1 })).toBe(false);
    directory.remove(run, numbered(5));
    expect(directory.insert(run, first, { host: 9, epoch: 2 })).toBe(true);
    expect(directory.lookup(run, first)).toEqual({ state: 'owned', host: 9, epoch: 2 });
    expect(directory.lookup(run, numbered(7))).toEqual({ state: 'owned', host: 7, epoch: 1 });
  });

  test('it agrees with a map, whatever comes and goes', () => {
    const steps = fc.array(fc.record({ number: fc.nat(23), remove: fc.boolean() }));
    fc.assert(
      fc.property(steps, (taken) => {
        const directory = directoryOf(16);
        const model = new Map<number, number>();
        taken.forEach(({ number, remove }, epoch) => {
          if (remove) {
            directory.remove(run, numbered(number));
            model.delete(number);
          } else if (!model.has(number)) {
            const inserted = directory.insert(run, numbered(number), { host: 1, epoch });
            expect(inserted).toBe(model.size < 16);
            if (inserted) model.set(number, epoch);
          }
        });
        for (let number = 0; number < 24; number += 1) {
          const epoch = model.get(number);
          expect(directory.lookup(run, numbered(number))).toEqual(
            epoch === undefined ? { state: 'absent' } : { state: 'owned', host: 1, epoch },
          );
        }
      }),
    );
  });

  test('a search stays short after many more actors than slots have come and gone (D3)', () => {
    const directory = directoryOf(1_024);
    for (let number = 0; number < 20_000; number += 1) {
      directory.insert(run, numbered(number), { host: 0, epoch: 1 });
      if (number >= 100) directory.remove(run, numbered(number - 100));
    }
    expect(directory.longestProbe).toBeLessThan(64);
    expect(directory.lookup(run, numbered(19_950))).toMatchObject({ state: 'owned' });
    expect(directory.lookup(run, numbered(7))).toEqual({ state: 'absent' });
  });
});

describe('ownership (D2, D4)', () => {
  test('only the owner gives an actor up, and its last sequence is there with it', () => {
    const directory = directoryOf(16);
    directory.insert(run, first, { host: 1, epoch: 4 });
    expect(directory.hibernate(run, first, { host: 2, epoch: 4, sequence: 8 })).toBe(false);
    expect(directory.hibernate(run, first, { host: 1, epoch: 3, sequence: 8 })).toBe(false);
    expect(directory.lookup(run, first)).toEqual({ state: 'owned', host: 1, epoch: 4 });
    expect(directory.hibernate(run, first, { host: 1, epoch: 4, sequence: 9 })).toBe(true);
    expect(directory.lookup(run, first)).toEqual({ state: 'hibernated', epoch: 4, sequence: 9 });
  });

  test('a sleeping actor is claimed once, under the next epoch', () => {
    const directory = directoryOf(16);
    directory.insert(run, first, { host: 1, epoch: 4 });
    expect(directory.claim(run, first, { host: 2, epoch: 4 })).toBeNull();
    directory.hibernate(run, first, { host: 1, epoch: 4, sequence: 9 });
    expect(directory.claim(run, first, { host: 2, epoch: 3 })).toBeNull();
    expect(directory.claim(run, first, { host: 2, epoch: 4 })).toEqual({
      epoch: 5,
      sleeper: null,
      damage: null,
    });
    expect(directory.claim(run, first, { host: 3, epoch: 4 })).toBeNull();
    expect(directory.lookup(run, first)).toEqual({ state: 'owned', host: 2, epoch: 5 });
    expect(directory.hibernate(run, first, { host: 1, epoch: 4, sequence: 9 })).toBe(false);
  });

  test('an actor that was removed is neither put to sleep nor claimed', () => {
    const directory = directoryOf(16);
    directory.insert(run, first, { host: 1, epoch: 1 });
    directory.remove(run, first);
    expect(directory.hibernate(run, first, { host: 1, epoch: 1, sequence: 1 })).toBe(false);
    expect(directory.claim(run, first, { host: 1, epoch: 1 })).toBeNull();
  });

  test('of two threads that claim a sleeping actor, exactly one gets it', async () => {
    const rounds = 2_000;
    const memory = ActorDirectory.allocate({ slots: 4_096 });
    const directory = new ActorDirectory(memory);
    for (let round = 0; round < rounds; round += 1) {
      directory.insert(run, numbered(round), { host: 9, epoch: 1 });
      directory.hibernate(run, numbered(round), { host: 9, epoch: 1, sequence: 1 });
    }
    const gate = new SharedArrayBuffer(4);
    const hosts = [0, 1];
    const won = await Promise.all(
      hosts.map(async (host) => {
        const workerData = { memory, gate, run, host, rounds, threads: hosts.length };
        const racer = new Worker(new URL('./directory-racer.ts', import.meta.url), { workerData });
        const [rounds_] = (await once(racer, 'message')) as [number[]];
        return rounds_;
      }),
    );
    const all = won.flat().sort((left, right) => left - right);
    expect(all).toEqual(Array.from({ length: rounds }, (_, round) => round));
    hosts.forEach((host) => {
      for (const round of won[host] ?? []) {
        const owner = directory.lookup(run, numbered(round));
        expect(owner).toEqual({ state: 'owned', host, epoch: 2 });
      }
    });
  });
});
