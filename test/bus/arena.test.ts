import { describe, expect, it } from 'vitest';
import { Arena } from '../../src/bus/arena.ts';
import { arenaLayout, generationPosition, rowWord } from '../../src/bus/arena-descriptor.ts';
import { ArenaReference, generationMax } from '../../src/bus/arena-reference.ts';
import type { Lease } from '../../src/bus/lease.ts';
import { limits } from '../../src/kernel/limits.ts';

const KiB = 1_024;
const classes = [
  { slabBytes: 4 * KiB, slabs: 4 },
  { slabBytes: 16 * KiB, slabs: 2 },
  { slabBytes: 64 * KiB, slabs: 1 },
  { slabBytes: 256 * KiB, slabs: 1 },
];

function arenas(count = 3): { memory: SharedArrayBuffer; threads: Arena[] } {
  const memory = Arena.allocate(classes);
  return { memory, threads: Array.from({ length: count }, (_, self) => new Arena(memory, self)) };
}

function two(): [Arena, Arena] {
  const [first, second] = arenas().threads;
  return [first as Arena, second as Arena];
}

function taken(arena: Arena, byteLength: number): Lease {
  const lease = arena.tryAllocate(byteLength);
  if (lease === null) throw new Error('the arena is full');
  return lease;
}

function live(arena: Arena): number {
  return arena.statistics().reduce((sum, { slabsLive }) => sum + slabsLive, 0);
}

const stale = expect.objectContaining({ code: 'BUS_ARENA_STALE' });
const released = expect.objectContaining({ code: 'BUS_ARENA_RELEASED' });

describe('an arena', () => {
  it('lets another thread read in place what one has filled', () => {
    const [first, second] = two();
    const lease = taken(first, 1_000);
    lease.bytes.fill(7);
    const accepted = second.accept(lease.transferTo(1));
    expect(accepted.byteLength).toBe(1_000);
    expect(accepted.bytes).toEqual(Buffer.alloc(1_000, 7));
    expect(accepted.bytes.buffer).toBe(accepted.view().buffer);
    accepted.release();
    expect(live(first)).toBe(0);
  });

  it.each([
    ['f32', Float32Array],
    ['f16', Float16Array],
    ['bf16', Uint16Array],
    ['i8', Int8Array],
    ['u8', Uint8Array],
    ['i32', Int32Array],
  ] as const)('gives a view of a tensor of %s', (dtype, view) => {
    const [first, second] = two();
    const lease = first.tryAllocateTensor(dtype, [3, 5]) as Lease;
    lease.view().set(Array.from({ length: 15 }, (_, index) => index));
    const accepted = second.accept(lease.transferTo(1));
    expect([accepted.dtype, accepted.shape]).toEqual([dtype, [3, 5]]);
    expect(accepted.view()).toBeInstanceOf(view);
    expect([...(accepted.view() as Iterable<number>)]).toEqual(
      Array.from({ length: 15 }, (_, index) => index),
    );
  });

  it('puts a payload into the smallest slab that holds it', () => {
    const [first] = two();
    const held = [0, 1, 4 * KiB, 4 * KiB + 1, 64 * KiB, 65 * KiB].map((size) => taken(first, size));
    expect(first.statistics().map(({ slabsLive }) => slabsLive)).toEqual([3, 1, 1, 1]);
    expect(first.statistics().map(({ bytesLive }) => bytesLive)).toEqual([
      4 * KiB + 1,
      4 * KiB + 1,
      64 * KiB,
      65 * KiB,
    ]);
    for (const lease of held) lease.release();
    expect(live(first)).toBe(0);
    expect(first.statistics().map(({ slabsHighWater }) => slabsHighWater)).toEqual([3, 1, 1, 1]);
  });

  it('takes a slab two classes larger when its own are taken, then refuses and counts it', () => {
    const [first] = two();
    for (let payload = 0; payload < 4 + 2 + 1; payload += 1) taken(first, 10);
    expect(first.tryAllocate(10)).toBeNull();
    expect(first.tryAllocate(10)).toBeNull();
    expect(first.statistics().map(({ refusals }) => refusals)).toEqual([2, 0, 0, 0]);
    expect(taken(first, 200 * KiB).byteLength).toBe(200 * KiB);
  });

  it('refuses what no slab would ever hold, by its size', () => {
    const [first] = two();
    expect(first.payloadBytesMax).toBe(256 * KiB);
    expect(() => first.tryAllocate(256 * KiB + 1)).toThrowError(
      expect.objectContaining({ code: 'BUS_ARENA_TOO_LARGE' }),
    );
    expect(() => first.tryAllocateTensor('f32', [64 * KiB + 1])).toThrowError(
      expect.objectContaining({ code: 'BUS_ARENA_TOO_LARGE' }),
    );
  });

  it('keeps a slab until the last of its leases is released', () => {
    const [first, second] = two();
    const lease = taken(first, 8);
    const shared = Array.from({ length: limits.arenaLeasesPerSlab - 1 }, () =>
      lease.tryDuplicate(),
    );
    expect(lease.tryDuplicate()).toBeNull();
    lease.release();
    for (const each of shared.slice(1)) each?.release();
    expect(live(first)).toBe(1);
    second.accept((shared[0] as Lease).transferTo(1)).release();
    expect(live(first)).toBe(0);
  });

  it('commits memory by need: a class takes a new slab only when none of its old ones is free', () => {
    const [first] = two();
    for (let round = 0; round < 20; round += 1) taken(first, 10).release();
    expect(first.statistics()[0]?.slabsHighWater).toBe(1);
  });

  it('has room for what the limits say', () => {
    const layout = arenaLayout(limits.arenaClasses);
    expect(layout.totalBytes).toBeLessThan(2 ** 31);
    expect(layout.classes.at(-1)?.slabBytes).toBe(512 * KiB * KiB);
  });
});

describe('a stale reference', () => {
  it('is an error once it was accepted, and for anybody but its addressee', () => {
    const { threads } = arenas();
    const [first, second, third] = threads as [Arena, Arena, Arena];
    const reference = taken(first, 8).transferTo(1);
    expect(() => third.accept(reference)).toThrowError(stale);
    expect(() => first.accept(reference)).toThrowError(stale);
    const lease = second.accept(reference);
    expect(() => second.accept(reference)).toThrowError(stale);
    lease.release();
    expect(() => second.accept(reference)).toThrowError(stale);
  });

  it('never names the next payload in its slab', () => {
    const [first, second] = two();
    const reference = taken(first, 8).transferTo(1);
    second.accept(reference).release();
    const next = taken(first, 8);
    expect(next.transferTo(1).slab).toBe(reference.slab);
    expect(() => second.accept(reference)).toThrowError(stale);
  });

  it('never names a later transfer of the same lease', () => {
    const [first, second] = two();
    const reference = taken(first, 8).transferTo(1);
    const back = second.accept(reference).transferTo(0);
    const again = first.accept(back).transferTo(1);
    expect(again.lease).toBe(reference.lease);
    expect(() => second.accept(reference)).toThrowError(stale);
    expect(second.accept(again).byteLength).toBe(8);
  });

  it('is refused when it lies about the payload', () => {
    const [first, second] = two();
    const reference = taken(first, 8).transferTo(1);
    for (const lie of [
      { byteLength: 4 * KiB, shape: [4 * KiB] },
      { generation: reference.generation + 2 },
      { slab: 60_000 },
      { slab: reference.slab + 1 },
      { lease: 5 },
    ]) {
      expect(() => second.accept(new ArenaReference({ ...reference, ...lie }))).toThrowError(stale);
    }
    expect(second.accept(reference).byteLength).toBe(8);
  });

  it('can be taken back by its sender until it was accepted', () => {
    const [first, second] = two();
    const reference = taken(first, 8).transferTo(1);
    const back = first.takeBack(reference);
    expect(back.isHeld).toBe(true);
    expect(() => second.accept(reference)).toThrowError(stale);
    const again = back.transferTo(1);
    second.accept(again);
    expect(() => first.takeBack(again)).toThrowError(stale);
  });
});

describe('a lease', () => {
  it('is of no use once it was released or passed on', () => {
    const [first] = two();
    for (const end of [(lease: Lease) => lease.release(), (lease: Lease) => lease.transferTo(1)]) {
      const lease = taken(first, 8);
      end(lease);
      expect(lease.isHeld).toBe(false);
      expect(() => lease.bytes).toThrowError(released);
      expect(() => lease.view()).toThrowError(released);
      expect(() => lease.tryDuplicate()).toThrowError(released);
      expect(() => lease.transferTo(1)).toThrowError(released);
    }
  });

  it('is released once, however often it is said', () => {
    const [first] = two();
    const lease = taken(first, 8);
    lease.release();
    const next = taken(first, 8);
    lease.release();
    expect(next.isHeld).toBe(true);
    expect(live(first)).toBe(1);
  });

  it('is released at the end of its block', () => {
    const [first] = two();
    {
      using lease = taken(first, 8);
      expect(lease.isHeld).toBe(true);
    }
    expect(live(first)).toBe(0);
  });
});

describe('a thread that has ended', () => {
  it('leaves nothing of what it held, and what is in flight to it', () => {
    const { threads } = arenas();
    const [first, second, third] = threads as [Arena, Arena, Arena];
    const shared = taken(second, 8);
    const kept = third.accept((shared.tryDuplicate() as Lease).transferTo(2));
    taken(second, 8);
    taken(first, 8).transferTo(1);
    first.reclaim(1);
    expect(live(first)).toBe(1);
    expect(kept.bytes.length).toBe(8);
    kept.release();
    expect(live(first)).toBe(0);
  });

  it('gets nothing any more: what is sent to it later is given up', () => {
    const [first] = two();
    first.reclaim(1);
    taken(first, 8).transferTo(1);
    expect(live(first)).toBe(0);
  });

  it('may have sent what is still accepted, until its addressee has drained', () => {
    const { threads } = arenas();
    const [first, second, third] = threads as [Arena, Arena, Arena];
    const arrived = taken(first, 8).transferTo(1);
    taken(first, 8).transferTo(1);
    third.reclaim(0);
    expect(live(third)).toBe(2);
    const accepted = second.accept(arrived);
    third.reclaimInFlight(0, 1);
    expect(live(third)).toBe(1);
    accepted.release();
    expect(live(third)).toBe(0);
  });

  it('makes room for a new thread with its index', () => {
    const { memory, threads } = arenas();
    const [first] = threads as [Arena];
    first.reclaim(1);
    const heir = new Arena(memory, 1);
    expect(heir.accept(taken(first, 8).transferTo(1)).byteLength).toBe(8);
  });
});

describe('generations', () => {
  it('end before a reference could name two of them: the slab is retired', () => {
    const memory = Arena.allocate([{ slabBytes: 4 * KiB, slabs: 1 }]);
    const layout = arenaLayout([{ slabBytes: 4 * KiB, slabs: 1 }]);
    const positions = new BigInt64Array(memory, 0, layout.dataOffset / 8);
    const generation = rowWord(layout, 0) / 2 + generationPosition;
    const arena = new Arena(memory, 0);
    taken(arena, 8).release();
    positions[generation] = BigInt(generationMax - 1);
    const last = taken(arena, 8);
    expect(last.transferTo(0).generation).toBe(generationMax);
    arena.reclaimInFlight(0, 0);
    expect(live(arena)).toBe(0);
    expect(arena.tryAllocate(8)).toBeNull();
  });
});
