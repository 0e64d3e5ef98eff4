/** Round trips over the whole bus: a number there and back. */
import assert from 'node:assert/strict';
import type { ThreadId } from '../../src/bus/endpoint.ts';
import { type Seat, trips as tripTopic } from './seats.ts';

export interface EndpointTripTask {
  readonly type: 'trip-over-endpoint';
  /** Whether both sides stand still while they wait, or both are in their event loops. */
  readonly waiting: 'parked' | 'loop';
  readonly role: 'ask' | 'answer';
  readonly trips: number;
  readonly peer: ThreadId;
  /** A word that the answering side sets once it can hear. */
  readonly ready: SharedArrayBuffer;
}

/** Both sides; the asking one resolves with the time of each trip in µs. */
export async function tripOverEndpoint(seat: Seat, task: EndpointTripTask): Promise<number[]> {
  const times: number[] = [];
  const { promise, resolve } = Promise.withResolvers<number[]>();
  if (task.role === 'answer') answer(seat, task, () => resolve(times));
  else ask(seat, task, times, () => resolve(times));
  if (task.waiting === 'parked') seat.drainAll(task.trips);
  return promise;
}

function answer(seat: Seat, { peer, trips, ready }: EndpointTripTask, done: () => void): void {
  let answered = 0;
  seat.onTrip = (number) => {
    send(seat, peer, number);
    answered += 1;
    if (answered === trips) done();
  };
  const word = new Int32Array(ready);
  Atomics.store(word, 0, 1);
  Atomics.notify(word, 0);
}

function ask(
  seat: Seat,
  { peer, trips, ready }: EndpointTripTask,
  times: number[],
  done: () => void,
): void {
  Atomics.wait(new Int32Array(ready), 0, 0);
  let startedMs = performance.now();
  seat.onTrip = (number) => {
    times.push((performance.now() - startedMs) * 1_000);
    assert.equal(number, times.length);
    if (times.length === trips) return done();
    startedMs = performance.now();
    send(seat, peer, number + 1);
  };
  send(seat, peer, 1);
}

function send({ endpoint }: Seat, peer: ThreadId, number: number): void {
  assert(endpoint.send(peer, tripTopic, number), 'an outbox has room for one number');
}
