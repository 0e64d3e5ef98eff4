/**
 * What the threads count at the ring of the journal: producers what they append
 * and how often they found no room, the journal what it takes out. The blocks
 * are those of the threads' slots in the ring.
 */
import { BusCounters } from '../bus/bus-counters.ts';
import { limits } from '../kernel/limits.ts';

/** The ring carries batches and nothing else. */
export const batchTopic = 0;

/** A slot for each thread that there may be. */
const shape = { threads: limits.busThreadsMax, topics: 1 } as const;

export const journalCounterThreads = shape.threads;

export function allocateJournalCounters(): SharedArrayBuffer {
  return BusCounters.allocate(shape);
}

export function openJournalCounters(memory: SharedArrayBuffer): BusCounters {
  return new BusCounters(memory, shape);
}
