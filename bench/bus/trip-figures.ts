/**
 * Round trips. Both sides are workers, so that neither has anything else to
 * do; the median of all trips of a sample is its figure.
 */
import { MessageChannel } from 'node:worker_threads';
import type { BenchOptions, Figure } from '../harness.ts';
import { figure, interleave, median, ratios } from '../harness.ts';
import type { BenchThreads } from './bench-threads.ts';
import { loopSeat, parkedSeat } from './seats.ts';
import { allocateTripWords } from './word-trips.ts';

async function wordTrip(
  threads: BenchThreads,
  waiting: 'spin' | 'wait',
  trips: number,
): Promise<number> {
  const memory = allocateTripWords();
  const task = { type: 'trip-over-words', waiting, trips, memory } as const;
  const answered = threads.run(1, { ...task, role: 'answer' });
  const times = await threads.run(0, { ...task, role: 'ask' });
  await answered;
  return median(times);
}

async function portTrip(threads: BenchThreads, trips: number): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  const task = { type: 'trip-over-port', trips } as const;
  const answered = threads.run(1, { ...task, role: 'answer', port: port2 }, [port2]);
  const times = await threads.run(0, { ...task, role: 'ask', port: port1 }, [port1]);
  await answered;
  return median(times);
}

async function endpointTrip(
  threads: BenchThreads,
  waiting: 'parked' | 'loop',
  trips: number,
): Promise<number> {
  const seatOf = waiting === 'parked' ? parkedSeat : loopSeat;
  const ready = new SharedArrayBuffer(4);
  const task = { type: 'trip-over-endpoint', waiting, trips, ready } as const;
  const answered = threads.run(1, { ...task, role: 'answer', peer: seatOf(1) });
  const times = await threads.run(0, { ...task, role: 'ask', peer: seatOf(2) });
  await answered;
  return median(times);
}

export async function tripFigures(
  threads: BenchThreads,
  { quick, repetitions }: BenchOptions,
): Promise<Figure[]> {
  const trips = quick ? 1_000 : 10_000;
  const contenders = {
    spin: () => wordTrip(threads, 'spin', trips),
    wait: () => wordTrip(threads, 'wait', trips),
    parked: () => endpointTrip(threads, 'parked', trips),
    port: () => portTrip(threads, trips),
    loop: () => endpointTrip(threads, 'loop', trips),
  };
  await interleave(contenders, 1);
  const times = await interleave(contenders, repetitions);
  const lower = { higherIsBetter: false };
  return [
    figure('round trip p50: parked bus / Atomics.wait', 'x', ratios(times.parked, times.wait), {
      goal: 1.3,
      ...lower,
    }),
    figure('round trip p50: event-loop bus / MessagePort', 'x', ratios(times.loop, times.port), {
      goal: 1.2,
      ...lower,
    }),
    figure('round trip p50: spinning on a word', 'µs', times.spin, lower),
    figure('round trip p50: Atomics.wait', 'µs', times.wait, lower),
    figure('round trip p50: parked bus', 'µs', times.parked, lower),
    figure('round trip p50: MessagePort', 'µs', times.port, lower),
    figure('round trip p50: event-loop bus', 'µs', times.loop, lower),
  ];
}
