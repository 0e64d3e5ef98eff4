/**
 * Threads that pass payloads around, of which some are killed in the middle of
 * it. BUS_ARENA_SECONDS says for how long.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { createBus, threadId } from '../../src/bus/endpoint.ts';
import { type ArenaReport, type ArenaTask, payloadTopic } from './bus-arena-thread.ts';

const seconds = Number(process.env.BUS_ARENA_SECONDS ?? 6);
const roundMs = 1_000;
const threadsTotal = 4;
const killed = [1, 3];
const arenaClasses = [
  { slabBytes: 4_096, slabs: 64 },
  { slabBytes: 16_384, slabs: 64 },
  { slabBytes: 65_536, slabs: 64 },
];

interface Round {
  readonly accepted: number;
  readonly damaged: number;
  readonly reclaimed: number;
}

async function runRound(seed: number): Promise<Round> {
  const bus = createBus({
    threads: Array.from({ length: threadsTotal }, (_, index) => ({
      id: threadId(index),
      name: `thread-${index}`,
      waits: 'atomics',
      inboxBytes: 16_384,
    })),
    topics: [payloadTopic],
    arena: arenaClasses,
  });
  const { arena } = bus.monitor;
  const live = (): number =>
    arena?.statistics().reduce((sum, { slabsLive }) => sum + slabsLive, 0) ?? -1;
  const orders = new SharedArrayBuffer(4);
  const workers = [...bus.seats.values()].map(({ spec, transferList }, index) => {
    const workerData: ArenaTask = { spec, orders, seed: seed + index };
    const url = new URL('./bus-arena-thread.ts', import.meta.url);
    return new Worker(url, { workerData, transferList });
  });
  onTestFinished(async () => {
    bus.monitor.close();
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
  const survivors = workers.filter((_, index) => !killed.includes(index));
  const reports = survivors.map((worker) => once(worker, 'message') as Promise<[ArenaReport]>);

  await sleep(roundMs * 0.6);
  for (const index of killed) {
    await workers[index]?.terminate();
    bus.monitor.threadEnded(threadId(index));
    await sleep(roundMs * 0.2);
  }
  const before = live();
  Atomics.store(new Int32Array(orders), 0, 1);
  // What the dead left in flight is freed once its addressee has drained past it.
  for (let wait = 0; wait < 100 && live() > 0; wait += 1) await sleep(20);
  const left = live();
  Atomics.store(new Int32Array(orders), 0, 2);
  const told = (await Promise.all(reports)).map(([report]) => report);
  expect(left).toBe(0);
  return {
    accepted: told.reduce((sum, { accepted }) => sum + accepted, 0),
    damaged: told.reduce((sum, { damaged }) => sum + damaged, 0),
    reclaimed: before,
  };
}

test(
  'no payload is torn and every slab comes back, although threads are killed that hold some',
  async () => {
    const rounds: Round[] = [];
    for (let round = 0; round * roundMs < seconds * 1_000; round += 1) {
      rounds.push(await runRound(1_000 * round + 7));
    }
    const accepted = rounds.reduce((sum, round) => sum + round.accepted, 0);
    process.stdout.write(`  ${rounds.length} rounds, ${accepted} payloads accepted\n`);
    expect(rounds.every(({ damaged }) => damaged === 0)).toBe(true);
    expect(accepted).toBeGreaterThan(rounds.length * 500);
    expect(rounds.some(({ reclaimed }) => reclaimed > 0)).toBe(true);
  },
  seconds * 4_000 + 60_000,
);
