import type { ArenaClassStatistics } from '../../src/bus/arena.ts';
import { BusCounters } from '../../src/bus/bus-counters.ts';
import type { BusSource } from '../../src/bus/bus-statistics.ts';

/** A bus of two threads and two topics, whose rings hold what the test says. */
export class CountedBus implements BusSource {
  readonly threads = [
    { id: 0, name: 'left' },
    { id: 7, name: 'right' },
  ];
  readonly topics = [
    { id: 10, name: 'tick' },
    { id: 20, name: 'tock' },
  ];
  readonly counters = newCounters(2, 2);
  readonly side = newCounters(2, 1);
  readonly left = this.counters.writer(0);
  readonly right = this.counters.writer(1);
  readonly depths = new Map<number, number>();
  readonly sideRings = [{ name: 'log', gauge: gauge(() => 5), counters: this.side, threads: 2 }];
  arena: { statistics(): ArenaClassStatistics[] } | null = null;

  inbox(thread: number) {
    const gapsSkipped = () => ({ gaps: thread, bytes: 64 });
    return { ...gauge(() => this.depths.get(thread) ?? 0), gapsSkipped };
  }
}

function newCounters(threads: number, topics: number): BusCounters {
  return new BusCounters(BusCounters.allocate({ threads, topics }), { threads, topics });
}

function gauge(depthBytes: () => number) {
  return { capacityBytes: 1_024, depthBytes, gapsSkipped: () => ({ gaps: 0, bytes: 0 }) };
}
