/**
 * Who is on the bus and what connects them: one inbox ring for each thread, a
 * doorbell from every thread to each one that waits in an event loop, and the
 * shared memory of subscriptions, counters and large payloads. The main thread
 * builds it once; every thread opens its own seat.
 */
import type { MessagePort } from 'node:worker_threads';
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { Arena } from './arena.ts';
import type { ArenaClass } from './arena-descriptor.ts';
import { BusCounters } from './bus-counters.ts';
import { BusMonitor } from './bus-monitor.ts';
import { createDoorbell } from './doorbell.ts';
import { ManyToOneRingBuffer } from './many-to-one-ring-buffer.ts';
import { Subscriptions } from './subscriptions.ts';
import type { ThreadId } from './thread-id.ts';
import type { TopicSpec } from './topic.ts';
import { TopicTable } from './topic-table.ts';

export interface ThreadSpec {
  readonly id: ThreadId;
  /** For people. */
  readonly name: string;
  /** How the thread waits for mail: standing still in `Atomics.wait`, or in its event loop. */
  readonly waits: 'atomics' | 'event-loop';
  /** Capacity of its inbox, a power of two; `limits.inboxRingBytes` unless given. */
  readonly inboxBytes?: number;
}

export interface BusSpec {
  readonly threads: readonly ThreadSpec[];
  readonly topics: readonly TopicSpec[];
  /** Size classes of the arena for large payloads; none without. */
  readonly arena?: readonly ArenaClass[];
}

/** A destination as one thread sees it. */
export interface PeerSpec {
  readonly id: ThreadId;
  readonly inbox: SharedArrayBuffer;
  /** Rings the destination's doorbell; null where it needs none. */
  readonly ringer: MessagePort | null;
}

/** Memory that all threads of the bus share. */
export interface SharedBus {
  readonly subscriptions: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly arena: SharedArrayBuffer | null;
}

/** Everything that one thread needs to be on the bus; can be posted to it. */
export interface EndpointSpec {
  readonly self: ThreadId;
  readonly waits: 'atomics' | 'event-loop';
  /** All threads, this one included, in the order of `BusSpec.threads`. */
  readonly peers: readonly PeerSpec[];
  readonly topics: readonly TopicSpec[];
  readonly shared: SharedBus;
  /** Where this thread hears its own doorbell, one for each other ringer. */
  readonly listeners: readonly MessagePort[];
}

export interface BusSeat {
  readonly spec: EndpointSpec;
  /** Ports inside `spec`, which `workerData` or `postMessage` have to transfer. */
  readonly transferList: MessagePort[];
}

export interface Bus {
  /** One for each thread; each is opened by exactly one, with `openEndpoint`. */
  readonly seats: ReadonlyMap<ThreadId, BusSeat>;
  /** For the thread that built the bus: what happens on it, and whose end it has to hear of. */
  readonly monitor: BusMonitor;
}

/** The bells of one bus, made as they are asked for. */
class Doorbells {
  readonly #listeners = new Map<ThreadId, MessagePort[]>();

  /** A new ringer of the thread's bell; null when the thread hears none. */
  ringerOf({ id, waits }: ThreadSpec): MessagePort | null {
    if (waits === 'atomics') return null;
    const bell = createDoorbell();
    this.#listeners.set(id, [...this.listenersOf(id), bell.listener]);
    return bell.ringer;
  }

  listenersOf(id: ThreadId): readonly MessagePort[] {
    return this.#listeners.get(id) ?? [];
  }
}

export function createBus({ threads, topics, arena }: BusSpec): Bus {
  assert(threads.length <= limits.busThreadsMax, 'the bus has too many threads');
  // Refuses two topics of one id or name, before any thread starts.
  const table = new TopicTable(
    threads.map(({ id }) => id),
    topics,
  );
  const shape = { threads: threads.length, topics: topics.length };
  const shared: SharedBus = {
    subscriptions: Subscriptions.allocate(topics.length),
    counters: BusCounters.allocate(shape),
    arena: arena === undefined ? null : Arena.allocate(arena),
  };
  const inboxes = threads.map(({ inboxBytes }) =>
    ManyToOneRingBuffer.allocate(inboxBytes ?? limits.inboxRingBytes),
  );
  const bells = new Doorbells();
  const peersSeenFrom = (self: ThreadId | null): PeerSpec[] =>
    threads.map((peer, index) => ({
      id: peer.id,
      inbox: inboxes[index] as SharedArrayBuffer,
      ringer: peer.id === self ? null : bells.ringerOf(peer),
    }));
  const seen = threads.map(({ id }) => peersSeenFrom(id));
  const monitor = new BusMonitor({ threads, table, shape, shared, peers: peersSeenFrom(null) });
  const seats = threads.map(({ id, waits }, index): [ThreadId, BusSeat] => {
    const peers = seen[index] ?? [];
    const listeners = bells.listenersOf(id);
    const ringers = peers.flatMap(({ ringer }) => (ringer === null ? [] : [ringer]));
    const spec = { self: id, waits, peers, topics, shared, listeners };
    return [id, { spec, transferList: [...listeners, ...ringers] }];
  });
  return { seats: new Map(seats), monitor };
}

/** The seat of a thread that starts again, and what its new bells need at the other end. */
export interface NewSeat {
  readonly seat: BusSeat;
  /** Where each of the rung threads hears it; given to `Endpoint.addListener` there. */
  readonly bells: ReadonlyMap<ThreadId, MessagePort>;
}

/**
 * The seat of a thread that has ended, for one that takes its place: the same
 * memory, and new bells, for the old ones ended with their thread.
 * @param rung The threads in an event loop that it will send to; it may send to no other such thread.
 */
export function newSeatOf(bus: Bus, id: ThreadId, rung: readonly ThreadId[]): NewSeat {
  const { spec } = seatOf(bus, id);
  assert(spec.waits === 'atomics', 'a thread that hears bells itself keeps its seat');
  const bells = new Map<ThreadId, MessagePort>();
  const ringers: MessagePort[] = [];
  const peers = spec.peers.map((peer): PeerSpec => {
    if (!rung.includes(peer.id)) return { ...peer, ringer: null };
    const { ringer, listener } = createDoorbell();
    bells.set(peer.id, listener);
    ringers.push(ringer);
    return { ...peer, ringer };
  });
  return { seat: { spec: { ...spec, peers }, transferList: ringers }, bells };
}

/** The seat of a thread that is on the bus. */
export function seatOf(bus: Bus, id: ThreadId): BusSeat {
  const seat = bus.seats.get(id);
  assert(seat !== undefined, `no thread ${id} on this bus`);
  return seat;
}
