/**
 * Who is on the bus and what connects them: one inbox ring for each thread,
 * and a doorbell from every thread to each one that waits in an event loop.
 * The main thread builds it once; every thread opens its own part.
 */
import type { MessagePort } from 'node:worker_threads';
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { createDoorbell } from './doorbell.ts';
import { ManyToOneRingBuffer } from './many-to-one-ring-buffer.ts';
import type { ThreadId } from './thread-id.ts';

export interface ThreadSpec {
  readonly id: ThreadId;
  /** How the thread waits for mail: standing still in `Atomics.wait`, or in its event loop. */
  readonly waits: 'atomics' | 'event-loop';
  /** Capacity of its inbox, a power of two; `limits.inboxRingBytes` unless given. */
  readonly inboxBytes?: number;
}

/** A destination as one thread sees it. */
export interface PeerSpec {
  readonly id: ThreadId;
  readonly inbox: SharedArrayBuffer;
  /** Rings the destination's doorbell; null where it needs none. */
  readonly ringer: MessagePort | null;
}

/** Everything that one thread needs to be on the bus; can be posted to it. */
export interface EndpointSpec {
  readonly self: ThreadId;
  readonly waits: 'atomics' | 'event-loop';
  /** All threads, this one included. */
  readonly peers: readonly PeerSpec[];
  /** Where this thread hears its own doorbell, one for each other thread. */
  readonly listeners: readonly MessagePort[];
}

export interface BusSeat {
  readonly spec: EndpointSpec;
  /** Ports inside `spec`, which `workerData` or `postMessage` have to transfer. */
  readonly transferList: MessagePort[];
}

/** Builds the bus. Each seat is opened by exactly one thread, with `openEndpoint`. */
export function createBus(threads: readonly ThreadSpec[]): Map<ThreadId, BusSeat> {
  const ids = new Set(threads.map(({ id }) => id));
  assert(ids.size === threads.length, 'every thread has its own id');
  assert(threads.length <= limits.busThreadsMax, 'the bus has too many threads');

  const listeners = new Map<ThreadId, MessagePort[]>(threads.map(({ id }) => [id, []]));
  const inboxes = new Map(
    threads.map((thread) => [
      thread.id,
      ManyToOneRingBuffer.allocate(thread.inboxBytes ?? limits.inboxRingBytes),
    ]),
  );

  const peerSeenFrom = (self: ThreadId, { id, waits }: ThreadSpec): PeerSpec => {
    const inbox = inboxes.get(id);
    assert(inbox !== undefined, 'every thread has an inbox');
    if (waits === 'atomics' || id === self) {
      return { id, inbox, ringer: null };
    }
    const bell = createDoorbell();
    listeners.get(id)?.push(bell.listener);
    return { id, inbox, ringer: bell.ringer };
  };

  const peers = new Map(
    threads.map(({ id }) => [id, threads.map((peer) => peerSeenFrom(id, peer))]),
  );
  return new Map(
    threads.map(({ id, waits }) => {
      const heard = listeners.get(id) ?? [];
      const seen = peers.get(id) ?? [];
      const ringers = seen.flatMap(({ ringer }) => (ringer === null ? [] : [ringer]));
      return [
        id,
        {
          spec: { self: id, waits, peers: seen, listeners: heard },
          transferList: [...heard, ...ringers],
        },
      ];
    }),
  );
}
