/**
 * The bus as the thread sees it that built it: what its rings, counters and
 * payloads look like now, and what has to be put right when a thread ends.
 *
 * Invariants
 *   M1. An ended thread keeps nobody waiting: its open claims are skipped, and
 *       whoever sleeps looks again.
 *   M2. What an ended thread had passed on is freed only once the receiver's
 *       inbox has drained past everything that was there at the end; until then
 *       a published frame may still name it.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { Arena } from './arena.ts';
import { BusCounters } from './bus-counters.ts';
import { ring } from './doorbell.ts';
import { Peer } from './peer.ts';
import { Subscriptions } from './subscriptions.ts';
import type { ThreadId } from './thread-id.ts';
import type { TopicTable } from './topic-table.ts';
import type { PeerSpec, SharedBus } from './topology.ts';

interface Named {
  readonly id: number;
  readonly name: string;
}

export interface MonitorParts {
  readonly threads: readonly { readonly id: ThreadId; readonly name: string }[];
  readonly table: TopicTable;
  readonly shape: { readonly threads: number; readonly topics: number };
  readonly shared: SharedBus;
  /** All threads, with ringers of the monitor's own. */
  readonly peers: readonly PeerSpec[];
}

/** Payloads on the way from an ended thread: freed when the inbox has come this far (M2). */
interface Settling {
  readonly from: number;
  readonly peer: Peer;
  readonly position: number;
}

export class BusMonitor {
  /** In the order of their indexes, as `counters` knows them. */
  readonly threads: readonly Named[];
  readonly topics: readonly Named[];
  readonly counters: BusCounters;
  /** Null where the bus has none. */
  readonly arena: Arena | null;
  readonly #table: TopicTable;
  readonly #peers: readonly Peer[];
  readonly #subscriptions: Subscriptions;
  #settling: Settling[] = [];
  #sweep: NodeJS.Timeout | null = null;

  constructor({ threads, table, shape, shared, peers }: MonitorParts) {
    this.threads = threads.map(({ id, name }) => ({ id, name }));
    this.topics = table.topics.map(({ id, name }) => ({ id, name }));
    this.counters = new BusCounters(shared.counters, shape);
    // It takes no lease itself, so the index that it opens the arena with is nobody's.
    this.arena = shared.arena === null ? null : new Arena(shared.arena, limits.busThreadsMax - 1);
    this.#table = table;
    this.#peers = peers.map((spec, index) => new Peer(spec, { index }));
    this.#subscriptions = new Subscriptions(shared.subscriptions);
  }

  /** Place of a thread on the bus: the index of its counters and its producer slot in every ring. */
  indexOf(id: ThreadId): number {
    return this.#peer(id).index;
  }

  /** The inbox of a thread, to look at. */
  inbox(id: number): Peer['inbox'] {
    return this.#peer(id).inbox;
  }

  /**
   * Tells that a thread has ended, whatever it was doing: nobody waits for it
   * any more (M1), and what it held in the arena is free (M2). Called once its
   * code runs no more.
   * @param startsAgain Another thread takes its seat: what is sent to it
   *   meanwhile waits. Only for threads that pass no leases on.
   */
  threadEnded(id: ThreadId, startsAgain = false): void {
    const { index: ended } = this.#peer(id);
    if (!startsAgain) this.#subscriptions.end(ended);
    for (const peer of this.#peers) {
      const position = peer.inbox.producerPosition();
      if (peer.inbox.producerEnded(ended) && peer.ringer !== null) ring(peer.ringer); // (M1)
      this.#settling.push({ from: ended, peer, position });
    }
    this.arena?.reclaim(ended);
    this.#sweep ??= setInterval(() => this.settle(), limits.endedThreadSweepMs).unref();
  }

  /**
   * Frees what can be by now (M2). While something is left it is called every
   * `limits.endedThreadSweepMs`.
   */
  settle(): void {
    this.#settling = this.#settling.filter(({ from, peer, position }) => {
      const hasEnded = this.#subscriptions.hasEnded(peer.index);
      if (!hasEnded && peer.inbox.consumerPosition() < position) return true;
      // Whoever had not heard of its end yet may have passed something on to it since.
      if (hasEnded) this.arena?.reclaim(peer.index);
      this.arena?.reclaimInFlight(from, peer.index);
      return false;
    });
    if (this.#settling.length === 0) this.#stopSweep();
  }

  close(): void {
    this.#stopSweep();
    for (const { ringer } of this.#peers) ringer?.close();
  }

  #stopSweep(): void {
    if (this.#sweep !== null) clearInterval(this.#sweep);
    this.#sweep = null;
  }

  #peer(id: number): Peer {
    const peer = this.#peers[this.#table.threadIndex(id)];
    assert(peer !== undefined, `no thread ${id} on this bus`);
    return peer;
  }
}
