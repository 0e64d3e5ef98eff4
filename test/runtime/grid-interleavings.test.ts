/**
 * What another thread does between a read and its swap, at each swap: here the
 * other thread is another view of the same memory, whose work runs inside the
 * call of `Atomics.compareExchange`. `grid-stress.test.ts` does it with threads.
 */
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';
import { SnapshotGrid } from '../../src/runtime/snapshot-grid.ts';
import { runOfSleepers as run, sleeperId, sleepingAgent } from './sleepers.ts';

type Swap = (words: BigUint64Array, index: number, from: bigint, to: bigint) => bigint;

/** Lets `work` happen before the swap with each number that it names, from 0. */
function beforeSwaps(work: (swap: number) => void): void {
  const original = Atomics.compareExchange as unknown as Swap;
  let swaps = 0;
  let isInside = false;
  const replaced: Swap = (words, index, from, to) => {
    if (!isInside && words instanceof BigUint64Array) {
      isInside = true;
      work(swaps);
      swaps += 1;
      isInside = false;
    }
    return original(words, index, from, to);
  };
  vi.spyOn(Atomics, 'compareExchange').mockImplementation(replaced as never);
}

afterEach(() => {
  vi.restoreAllMocks();
});

const pageBytes = 65_536;
/** Large enough that no thread keeps them for itself. */
const slab = Buffer.alloc(2_000);
const slabsOfPage = 32;
const seal = { low: 1, high: 2 };

describe('the free list (G2)', () => {
  test('no place is given twice and none is lost, whatever happens between a read and its swap', () => {
    const move = fc.record({ take: fc.boolean(), which: fc.nat(40) });
    fc.assert(
      fc.property(
        fc.array(move, { maxLength: 30 }),
        fc.array(fc.array(move, { maxLength: 6 }), { maxLength: 30 }),
        (own, others) => {
          const memory = new SharedArrayBuffer(pageBytes + 1_024);
          const one = new SnapshotGrid(memory, 0, memory.byteLength);
          const other = new SnapshotGrid(memory, 0, memory.byteLength);
          const held = new Set<number>();
          const given = (place: number) => {
            if (place === 0) return;
            expect(held.has(place)).toBe(false);
            held.add(place);
          };
          const moves = (grid: SnapshotGrid, mine: number[], all: typeof own) => {
            for (const { take, which } of all) {
              if (take || mine.length === 0) {
                const place = grid.store(slab, 0, seal);
                given(place);
                if (place !== 0) mine.push(place);
              } else {
                const [place] = mine.splice(which % mine.length, 1);
                held.delete(place ?? 0);
                grid.free(place ?? 0);
              }
            }
          };
          const ofOther: number[] = [];
          const ofOne: number[] = [];
          given(one.store(slab, 0, seal));
          beforeSwaps((swap) => moves(other, ofOther, others[swap] ?? []));
          moves(one, ofOne, own);
          vi.restoreAllMocks();
          for (let left = slabsOfPage - held.size; left > 0; left -= 1) {
            const place = one.store(slab, 0, seal);
            expect(place).not.toBe(0);
            given(place);
          }
          expect(one.store(slab, 0, seal)).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a lost swap (D5)', () => {
  const text = 'd'.repeat(1_500);

  function owned(directory: ActorDirectory, number: number): void {
    expect(directory.insert(run, sleeperId(number), { host: 1, epoch: 1 })).toBe(true);
  }

  function sleeps(directory: ActorDirectory, number: number): boolean {
    const sleeper = sleepingAgent(number, text + number);
    const from = { host: 1, epoch: 1, sequence: sleeper.actor.sequence };
    return directory.hibernate(run, sleeperId(number), from, sleeper);
  }

  function wakes(directory: ActorDirectory, number: number): boolean {
    const claimed = directory.claim(run, sleeperId(number), { host: 2, epoch: 1 });
    expect(claimed?.damage).toBeNull();
    return claimed?.sleeper != null;
  }

  test('of a host whose actor was removed meanwhile frees the place that it had filled', () => {
    const memory = ActorDirectory.allocate({ slots: 64, gridBytes: 8 * pageBytes, templates: 8 });
    const host = new ActorDirectory(memory);
    const main = new ActorDirectory(memory);
    // More rounds than all pages have slabs for.
    for (let round = 0; round < 300; round += 1) {
      const number = round % 10;
      owned(host, number);
      let isOver = false;
      beforeSwaps(() => {
        if (!isOver && host.lookup(run, sleeperId(number)).state === 'owned') {
          isOver = true;
          main.remove(run, sleeperId(number));
        }
      });
      const slept = sleeps(host, number);
      vi.restoreAllMocks();
      expect(isOver).toBe(true);
      // The first swaps are those of the grid; the actor is gone in any case.
      expect(slept).toBe(false);
    }
    owned(host, 99);
    expect(sleeps(host, 99)).toBe(true);
    expect(wakes(main, 99)).toBe(true);
  });

  test('of a host that claims what another has just claimed gives it nothing', () => {
    const memory = ActorDirectory.allocate({ slots: 64, gridBytes: 8 * pageBytes, templates: 8 });
    const one = new ActorDirectory(memory);
    const other = new ActorDirectory(memory);
    for (let number = 0; number < 40; number += 1) {
      owned(one, number);
      expect(sleeps(one, number)).toBe(true);
      let first: boolean | null = null;
      beforeSwaps(() => {
        first ??= wakes(other, number);
      });
      expect(one.claim(run, sleeperId(number), { host: 3, epoch: 1 })).toBeNull();
      vi.restoreAllMocks();
      expect(first).toBe(true);
      expect(one.lookup(run, sleeperId(number))).toEqual({ state: 'owned', host: 2, epoch: 2 });
      one.remove(run, sleeperId(number));
    }
  });

  test('of a spill whose victim is woken meanwhile frees nothing', () => {
    const memory = ActorDirectory.allocate({ slots: 256, gridBytes: 8 * pageBytes, templates: 8 });
    const one = new ActorDirectory(memory);
    const other = new ActorDirectory(memory);
    let oldest = 3;
    let stolen = 0;
    for (let number = 0; number < 250; number += 1) {
      owned(one, number);
      // Once all is full, the first swap is the one that takes the victim's place.
      const isFull = one.counts.spilled > 3;
      beforeSwaps((swap) => {
        if (!isFull || swap > 0 || number % 2 === 0) return;
        while (!wakes(other, oldest)) oldest += 1;
        oldest += 1;
        stolen += 1;
      });
      expect(sleeps(one, number)).toBe(true);
      vi.restoreAllMocks();
    }
    expect(one.counts.spilled).toBeGreaterThan(20);
    expect(stolen).toBeGreaterThan(20);
    // Had a place been freed twice, two of these would have the same one.
    for (let number = oldest; number < 250; number += 1) wakes(one, number);
    expect(one.counts.damaged).toBe(0);
  });
});

test('a full grid leaves those to the journal that have slept longest (D6)', () => {
  const memory = ActorDirectory.allocate({ slots: 256, gridBytes: 8 * pageBytes, templates: 8 });
  const directory = new ActorDirectory(memory);
  const count = 250;
  for (let number = 0; number < count; number += 1) {
    const sleeper = sleepingAgent(number, `${'d'.repeat(900)}${number}`);
    const { sequence } = sleeper.actor;
    directory.insert(run, sleeperId(number), { host: 1, epoch: 1 });
    const from = { host: 1, epoch: 1, sequence };
    expect(directory.hibernate(run, sleeperId(number), from, sleeper)).toBe(true);
  }
  const here = Array.from({ length: count }, (_, number) => {
    const slept = directory.lookup(run, sleeperId(number));
    expect(slept).toEqual({ state: 'hibernated', epoch: 1, sequence: 3 });
    const claimed = directory.claim(run, sleeperId(number), { host: 2, epoch: 1 });
    expect(claimed?.damage).toBeNull();
    return claimed?.sleeper != null;
  });
  // The first of all have no template yet, so they are of another size.
  const kept = here.indexOf(true, 3);
  expect(kept).toBeGreaterThan(3);
  expect(here.slice(3, kept)).not.toContain(true);
  expect(here.slice(kept)).not.toContain(false);
  expect(directory.counts.spilled).toBe(here.filter((each) => !each).length);
  expect(count - kept).toBeGreaterThan(100);
});
