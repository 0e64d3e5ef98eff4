/**
 * What a bus did between two moments: a snapshot is plain numbers, and two of
 * them make totals, rates and percentiles. Taking one reads shared memory and
 * disturbs nobody; everything after that is arithmetic.
 *
 * Invariants
 *   V1. Totals are since the bus was made, rates and latencies are of the
 *       window between the two snapshots.
 *   V2. The numbers of one snapshot are read one after the other while the bus
 *       runs, so sums over threads may be off by what was in flight.
 */
import type { ArenaClassStatistics } from './arena.ts';
import type { BusCounters, ThreadCountersView } from './bus-counters.ts';
import { noTopic, type TopicField, topicFields } from './bus-counters-descriptor.ts';
import {
  addLatencies,
  type LatencyCounts,
  type LatencySummary,
  summarizeLatency,
} from './latency-histogram.ts';

/** A ring as it is now, for whoever looks at it from outside. */
export interface RingGauge {
  readonly capacityBytes: number;
  depthBytes(): number;
  /** What dead producers left claimed and the consumer went over. */
  gapsSkipped(): { readonly gaps: number; readonly bytes: number };
}

/** A shared arena as it is now. */
export interface ArenaStatistics {
  /** Of all slabs together. */
  readonly capacityBytes: number;
  /** Of the payloads that are live. */
  readonly bytesLive: number;
  /** Allocations that found no slab. */
  readonly refusals: number;
  /** From the smallest slabs to the largest. */
  readonly classes: readonly ArenaClassStatistics[];
}

interface Named {
  readonly id: number;
  readonly name: string;
}

/** A ring beside the bus, with counters of its own in which it is the only topic. */
export interface SideRing {
  readonly name: string;
  readonly gauge: RingGauge;
  readonly counters: BusCounters;
  /** Threads of the counters. */
  readonly threads: number;
}

/** Where a snapshot comes from. */
export interface BusSource {
  /** In the order of the counters. */
  readonly threads: readonly Named[];
  /** In the order of the counters. */
  readonly topics: readonly Named[];
  readonly counters: BusCounters;
  /** The inbox of a thread, by its id. */
  inbox(thread: number): RingGauge;
  /** Null where the bus has none. */
  readonly arena: { statistics(): readonly ArenaClassStatistics[] } | null;
  readonly sideRings: readonly SideRing[];
}

interface RingSnapshot {
  readonly name: string;
  readonly capacityBytes: number;
  readonly depthBytes: number;
  readonly gapsSkipped: number;
  /** Of everybody who counts for this ring. */
  readonly counts: readonly ThreadCountersView[];
}

export interface BusSnapshot {
  /** Monotonic milliseconds. */
  readonly atMs: number;
  readonly topicNames: readonly string[];
  /** One inbox for each thread, in order; its counts are those of the thread. */
  readonly inboxes: readonly RingSnapshot[];
  readonly sideRings: readonly RingSnapshot[];
  readonly arena: ArenaStatistics | null;
}

/** Something counted: since the bus was made, and each second of the window (V1). */
export interface Rate {
  readonly total: number;
  readonly perSecond: number;
}

interface RingState {
  readonly name: string;
  readonly depthBytes: number;
  /** The most bytes that its consumer found at the start of a drain. */
  readonly depthBytesMax: number;
  readonly capacityBytes: number;
  /** Claims of dead producers that the consumer went over. */
  readonly gapsSkipped: number;
  readonly wakeUps: Rate;
}

/** Counts of all topics together, or of one topic over all threads. */
type Traffic = Readonly<Record<TopicField, Rate>> & {
  /** Of the frames received; null where none of the window was measured. */
  readonly latency: LatencySummary | null;
};

/** A thread: its inbox, what it received and what it sent. */
export interface ThreadStatistics extends RingState, Traffic {
  readonly outboxFrames: number;
  readonly outboxFramesMax: number;
  readonly wokeConsumer: Rate;
  readonly corrupt: number;
  readonly handlerFailed: number;
  /** Frames missing in the sequences of its senders. */
  readonly missing: number;
}

export interface TopicStatistics extends Traffic {
  readonly name: string;
}

/** A ring beside the bus. */
export interface SideRingStatistics extends RingState, Traffic {}

export interface BusStatistics {
  /** Length of the window that rates and latencies are of. */
  readonly windowMs: number;
  readonly threads: readonly ThreadStatistics[];
  /** In the order of the table; frames of unknown topics last, as `unknown`, if there were any. */
  readonly topics: readonly TopicStatistics[];
  readonly sideRings: readonly SideRingStatistics[];
  readonly arena: ArenaStatistics | null;
}

/** Reads everything once. */
export function takeSnapshot(source: BusSource, atMs: number): BusSnapshot {
  return {
    atMs,
    topicNames: source.topics.map(({ name }) => name),
    inboxes: source.threads.map(({ id, name }, index) =>
      ringSnapshot(name, source.inbox(id), [source.counters.read(index)]),
    ),
    sideRings: source.sideRings.map(({ name, gauge, counters, threads }) =>
      ringSnapshot(
        name,
        gauge,
        Array.from({ length: threads }, (_, thread) => counters.read(thread)),
      ),
    ),
    arena: source.arena === null ? null : arenaStatistics(source.arena.statistics()),
  };
}

function arenaStatistics(classes: readonly ArenaClassStatistics[]): ArenaStatistics {
  return {
    capacityBytes: sum(classes, ({ slabBytes, slabs }) => slabBytes * slabs),
    bytesLive: sum(classes, ({ bytesLive }) => bytesLive),
    refusals: sum(classes, ({ refusals }) => refusals),
    classes,
  };
}

function ringSnapshot(
  name: string,
  gauge: RingGauge,
  counts: readonly ThreadCountersView[],
): RingSnapshot {
  const { capacityBytes } = gauge;
  const gapsSkipped = gauge.gapsSkipped().gaps;
  return { name, capacityBytes, gapsSkipped, depthBytes: gauge.depthBytes(), counts };
}

/** What happened from `before` to `after`, two snapshots of one bus. */
export function busStatistics(before: BusSnapshot, after: BusSnapshot): BusStatistics {
  const windowMs = after.atMs - before.atMs;
  const window = new Window(windowMs);
  const rows = [...after.topicNames.keys(), noTopic];
  const countsOf = (snapshot: BusSnapshot): ThreadCountersView[] =>
    snapshot.inboxes.flatMap(({ counts }) => counts);
  const topics = rows.map((topic) => ({
    name: after.topicNames[topic] ?? 'unknown',
    ...window.traffic(countsOf(before), countsOf(after), [topic]),
  }));
  return {
    windowMs,
    threads: after.inboxes.map((ring, index) => {
      const earlier = before.inboxes[index]?.counts ?? [];
      const [own] = ring.counts;
      return {
        ...window.ring(earlier, ring),
        ...window.traffic(earlier, ring.counts, rows),
        outboxFrames: own?.outboxFrames ?? 0,
        outboxFramesMax: own?.outboxFramesMax ?? 0,
        wokeConsumer: window.rate(earlier, ring.counts, (counts) => counts.wokeConsumer),
        corrupt: own?.corrupt ?? 0,
        handlerFailed: own?.handlerFailed ?? 0,
        missing: own?.missing ?? 0,
      };
    }),
    topics: topics.filter((topic, row) => rows[row] !== noTopic || wasUsed(topic)),
    sideRings: after.sideRings.map((ring, index) => {
      const earlier = before.sideRings[index]?.counts ?? [];
      return { ...window.ring(earlier, ring), ...window.traffic(earlier, ring.counts, [0]) };
    }),
    arena: after.arena,
  };
}

function wasUsed(topic: TopicStatistics): boolean {
  return topicFields.some((field) => topic[field].total > 0);
}

type Counts = readonly ThreadCountersView[];

/** The arithmetic of one window. */
class Window {
  readonly #seconds: number;

  constructor(windowMs: number) {
    this.#seconds = windowMs / 1_000;
  }

  rate(before: Counts, after: Counts, pick: (counts: ThreadCountersView) => number): Rate {
    const total = sum(after, pick);
    // A window without length says nothing about speed.
    const perSecond = this.#seconds > 0 ? (total - sum(before, pick)) / this.#seconds : 0;
    return { total, perSecond };
  }

  /** The counts of some topics together. */
  traffic(before: Counts, after: Counts, topics: readonly number[]): Traffic {
    const rates = topicFields.map((field) => [
      field,
      this.rate(before, after, (counts) =>
        sum(topics, (topic) => (counts.topics[topic] ?? counts.noTopic)[field]),
      ),
    ]);
    const latencies = addLatencies(latenciesOf(after, topics), latenciesOf(before, topics));
    return {
      ...(Object.fromEntries(rates) as Record<TopicField, Rate>),
      latency: summarizeLatency(latencies),
    };
  }

  ring(before: Counts, { counts, ...ring }: RingSnapshot): RingState {
    return {
      ...ring,
      depthBytesMax: Math.max(ring.depthBytes, ...counts.map((own) => own.depthBytesMax)),
      wakeUps: this.rate(before, counts, (own) => own.wakeUps),
    };
  }
}

function latenciesOf(threads: Counts, topics: readonly number[]): (LatencyCounts | null)[] {
  return threads.flatMap(({ latencies }) => topics.map((topic) => latencies[topic] ?? null));
}

function sum<T>(values: readonly T[], pick: (value: T) => number): number {
  return values.reduce((total, value) => total + pick(value), 0);
}
