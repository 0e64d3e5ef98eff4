/** Threads that store and free in one grid; whoever finds a place of its own changed says so. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { SnapshotGrid } from '../../src/runtime/snapshot-grid.ts';

const threads = 4;
const moves = 150_000;
const pageBytes = 65_536;

async function race(pages: number, lengths: readonly number[]): Promise<SharedArrayBuffer> {
  const memory = new SharedArrayBuffer(pages * pageBytes + 1_024);
  const gate = new SharedArrayBuffer(4);
  const wrong = await Promise.all(
    Array.from({ length: threads }, async (_, me) => {
      const workerData = { memory, gate, me, threads, moves, lengths };
      const url = new URL('./grid-racer.ts', import.meta.url);
      const [found] = (await once(new Worker(url, { workerData }), 'message')) as [number];
      return found;
    }),
  );
  expect(wrong).toEqual(new Array(threads).fill(0));
  return memory;
}

test('slabs that all threads want: no place is given twice and none is lost', async () => {
  const memory = await race(1, [2_000]);
  const grid = new SnapshotGrid(memory, 0, memory.byteLength);
  const places = new Set<number>();
  for (let slab = 0; slab < 32; slab += 1) {
    places.add(grid.store(Buffer.alloc(2_000), 0, { low: 0, high: 0 }));
  }
  expect(places.has(0)).toBe(false);
  expect(places.size).toBe(32);
  expect(grid.store(Buffer.alloc(2_000), 0, { low: 0, high: 0 })).toBe(0);
}, 60_000);

test('slabs of all sizes, of which threads keep some', async () => {
  await race(24, [20, 60, 100, 180, 400, 1_000, 3_000, 12_000]);
}, 60_000);
