/**
 * Payloads through the arena: the sender fills a slab in place and passes the
 * lease on in a frame; the receiver accepts it, checks the payload through a
 * view, and releases it. `fill` writes the whole payload, by the one copy that
 * remains from where it was before; `pass` touches its first word only, and now
 * and then its last, so that what is measured is the way of the reference.
 */
import assert from 'node:assert/strict';
import { Arena } from '../../src/bus/arena.ts';
import { ArenaReference } from '../../src/bus/arena-reference.ts';
import { frameLength, readBody, readHeader, writeFrame } from '../../src/bus/frame.ts';
import type { Lease } from '../../src/bus/lease.ts';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { threadId } from '../../src/bus/thread-id.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { BenchThreads } from './bench-threads.ts';
import { frameRecord, reusedHeader } from './frame-header.ts';
import { Arrivals, allocateArrived, Departures } from './in-flight.ts';
import { type Load, rateOf } from './load.ts';
import { drainAll, giveWay } from './pacing.ts';
import { Ledger, markOf, stamp } from './payload.ts';

export type LeaseMode = 'fill' | 'pass';

/** So that one batch is made while others are under way. */
const batchesInFlight = 4;

const lastWordEvery = 64;

/** Indexes of the two threads. */
const receiverIndex = 0;
const senderIndex = 1;

/** Shared memory of these samples. */
export interface LeaseMemory {
  readonly ring: SharedArrayBuffer;
  readonly arena: SharedArrayBuffer;
  /** Payloads that may be in flight. */
  readonly slabs: number;
}

export interface LeasesTask {
  readonly type: 'send-leases';
  readonly load: Load;
  readonly mode: LeaseMode;
  readonly memory: LeaseMemory;
  readonly arrived: SharedArrayBuffer;
}

/** An arena with one class of `slabs` slabs, and a ring for their references. */
export function allocateLeases(slabBytes: number, slabs: number): LeaseMemory {
  return {
    ring: ManyToOneRingBuffer.allocate(2 ** 20),
    arena: Arena.allocate([{ slabBytes, slabs }]),
    slabs,
  };
}

function batchOf({ slabs }: LeaseMemory): number {
  return Math.floor(slabs / batchesInFlight);
}

/** Sender. */
export function sendLeases({ load, mode, memory, arrived }: LeasesTask): void {
  const ring = new ManyToOneRingBuffer(memory.ring, { producer: senderIndex });
  const arena = new Arena(memory.arena, senderIndex);
  const departures = new Departures(arrived, memory.slabs);
  const header = reusedHeader(threadId(senderIndex));
  const count = load.lengthBytes / 4;
  const words = new Int32Array(mode === 'fill' ? count : 0);
  const source = Buffer.from(words.buffer);
  const send = (reference: ArenaReference): void => {
    const body = { kind: 'arena', reference } as const;
    let index = ring.tryClaim(frameRecord, frameLength(body));
    while (index === refusedClaim) {
      ring.endBatch(); // A batch does not wait.
      ring.wake();
      giveWay();
      index = ring.tryClaim(frameRecord, frameLength(body));
    }
    writeFrame(header, body, ring.bytes, index);
    ring.commit(index);
  };
  // A payload of megabytes goes by itself, references alone in batches.
  const batch = mode === 'fill' ? 1 : batchOf(memory);
  const references: ArenaReference[] = [];
  for (let number = 0; number < load.messages; ) {
    const end = Math.min(number + batch, load.messages);
    departures.await(end - 1);
    for (let next = number; next < end; next += 1) {
      const lease = arena.tryAllocateTensor('i32', [count]);
      assert(lease !== null, 'a slab is free when its message may leave');
      if (mode === 'fill') {
        stamp({ words, first: 0, count }, markOf(0, next));
        source.copy(lease.bytes);
      } else markEnds(lease.view() as Int32Array, next);
      references.push(lease.transferTo(receiverIndex));
    }
    ring.beginBatch();
    for (const reference of references.splice(0)) {
      header.sequence = number;
      send(reference);
      number += 1;
    }
    ring.endBatch();
    ring.wake();
  }
}

/** The first word of each payload, and the last of some: what is measured is no memory. */
function markEnds(words: Int32Array, number: number): void {
  words[0] = number;
  if (number % lastWordEvery === 0) words[words.length - 1] = ~number;
}

function hasEnds(words: Int32Array, number: number): boolean {
  const isLastRight = number % lastWordEvery !== 0 || words[words.length - 1] === ~number;
  return words[0] === number && isLastRight;
}

/** Receiver, in a loop: payloads a second. */
export async function leasesRate(
  threads: BenchThreads,
  load: Load,
  mode: LeaseMode,
  memory: LeaseMemory,
): Promise<number> {
  const ring = new ManyToOneRingBuffer(memory.ring);
  const arena = new Arena(memory.arena, receiverIndex);
  const arrived = allocateArrived();
  const arrivals = new Arrivals(arrived);
  // Not each of them: that would cost a cache line for every payload.
  const arrivalsEvery = mode === 'fill' ? 1 : batchOf(memory);
  const ledger = new Ledger(1);
  let received = 0;
  const check = (lease: Lease): void => {
    const words = lease.view() as Int32Array;
    if (mode === 'fill') ledger.check(words, 0, words.length);
    else if (!hasEnds(words, received)) throw new Error(`payload ${received} is another's`);
    received += 1;
  };
  const receive = (_type: number, bytes: Buffer, offset: number, lengthBytes: number): void => {
    const header = readHeader(bytes, offset, lengthBytes);
    if (header.sequence !== received) throw new Error(`frame ${header.sequence} is out of order`);
    const reference = readBody(bytes, offset, lengthBytes);
    assert(reference instanceof ArenaReference);
    const lease = arena.accept(reference);
    check(lease);
    lease.release();
    if (received % arrivalsEvery === 0) arrivals.set(received);
  };
  const startedMs = performance.now();
  const sent = threads.run(0, { type: 'send-leases', load, mode, memory, arrived });
  drainAll(
    load.messages,
    () => ring.drain(receive, limits.drainFramesMax),
    () => ring.park(limits.idleWaitMsMax),
  );
  const rate = rateOf(load, startedMs);
  await sent;
  return rate;
}
