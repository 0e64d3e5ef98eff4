/**
 * The bus of the benchmark: every thread has one seat where it stands still
 * while it waits and one in its event loop, because an endpoint waits in one
 * way only. All samples use the same seats, as a runtime would.
 */
import type { BusSeat, EndpointSpec, FrameHeader, ThreadId } from '../../src/bus/endpoint.ts';
import {
  createBus,
  defineTopic,
  type Endpoint,
  openEndpoint,
  seatOf,
  threadId,
} from '../../src/bus/endpoint.ts';
import { limits } from '../../src/kernel/limits.ts';
import { drainAll } from './pacing.ts';

/** How the seats of a thread are numbered: thread 0 is the main one, the workers follow. */
export function parkedSeat(thread: number): ThreadId {
  return threadId(2 * thread);
}

export function loopSeat(thread: number): ThreadId {
  return threadId(2 * thread + 1);
}

const anybody = { publishers: 'everyone', subscribers: 'everyone' } as const;

/** Shed, so that a sender hears of a full inbox at once instead of filling its outbox. */
export const payloads = defineTopic<Uint8Array>({
  id: 0,
  name: 'payloads',
  policy: 'shed',
  ...anybody,
});
export const objects = defineTopic<object>({ id: 1, name: 'objects', policy: 'shed', ...anybody });
export const trips = defineTopic<number>({ id: 2, name: 'trips', policy: 'wait', ...anybody });
export const tasks = defineTopic<number, number>({
  id: 3,
  name: 'tasks',
  policy: 'wait',
  ...anybody,
});

/** Both seats of every thread, by the number of the thread. */
export function benchSeats(threads: number): { parked: BusSeat; loop: BusSeat }[] {
  const numbers = Array.from({ length: threads }, (_, thread) => thread);
  const bus = createBus({
    threads: numbers.flatMap((thread) => [
      { id: parkedSeat(thread), name: `parked-${thread}`, waits: 'atomics' } as const,
      { id: loopSeat(thread), name: `loop-${thread}`, waits: 'event-loop' } as const,
    ]),
    topics: [payloads, objects, trips, tasks],
  });
  return numbers.map((thread) => ({
    parked: seatOf(bus, parkedSeat(thread)),
    loop: seatOf(bus, loopSeat(thread)),
  }));
}

type Hear<Body> = (body: Body, header: FrameHeader) => void;

function unexpected(): never {
  throw new Error('nobody waits for this message');
}

/** One seat, opened. What hears its messages changes from sample to sample. */
export class Seat {
  readonly endpoint: Endpoint;
  onPayload: Hear<Uint8Array> = unexpected;
  onObject: Hear<object> = unexpected;
  onTrip: Hear<number> = unexpected;
  onTask: Hear<number> = unexpected;

  constructor(spec: EndpointSpec) {
    this.endpoint = openEndpoint(spec);
    this.endpoint.on(payloads, (body, header) => this.onPayload(body, header));
    this.endpoint.on(objects, (body, header) => this.onObject(body, header));
    this.endpoint.on(trips, (body, header) => this.onTrip(body, header));
    this.endpoint.on(tasks, (body, header) => this.onTask(body, header));
    if (spec.waits === 'event-loop') this.endpoint.listen();
  }

  /** Drains and parks until `messages` were taken. */
  drainAll(messages: number): void {
    const { endpoint } = this;
    drainAll(
      messages,
      () => endpoint.drain(),
      () => endpoint.park(limits.idleWaitMsMax),
    );
  }
}
