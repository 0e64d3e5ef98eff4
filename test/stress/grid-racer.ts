/** A thread that stores, checks and frees in a shared grid as fast as it can. */
import { parentPort, workerData } from 'node:worker_threads';
import { SnapshotGrid } from '../../src/runtime/snapshot-grid.ts';

interface Race {
  readonly memory: SharedArrayBuffer;
  readonly gate: SharedArrayBuffer;
  readonly me: number;
  readonly threads: number;
  readonly moves: number;
  readonly lengths: readonly number[];
}

const { memory, gate, me, threads, moves, lengths } = workerData as Race;
const grid = new SnapshotGrid(memory, 0, memory.byteLength);
const arrived = new Int32Array(gate);
const held: { readonly place: number; readonly number: number }[] = [];
let random = me + 1;
let wrong = 0;

function next(below: number): number {
  random = (Math.imul(random, 1_103_515_245) + 12_345) | 0;
  return (random >>> 8) % below;
}

Atomics.add(arrived, 0, 1);
while (Atomics.load(arrived, 0) < threads) Atomics.pause();

for (let number = 0; number < moves; number += 1) {
  if (next(2) === 0 && held.length < 8) {
    const bytes = Buffer.alloc(lengths[next(lengths.length)] ?? 0, number & 0xff);
    const place = grid.store(bytes, 1, { low: me, high: number });
    if (place !== 0) held.push({ place, number });
    continue;
  }
  const [mine] = held.splice(next(Math.max(1, held.length)), 1);
  if (mine === undefined) continue;
  // Another thread that was given the same place has written over it.
  if (!grid.open(mine.place, { low: me, high: mine.number })) wrong += 1;
  grid.free(mine.place);
}
for (const { place } of held) grid.free(place);
parentPort?.postMessage(wrong);
