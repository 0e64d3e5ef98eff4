/** Limit of a round trip between two event loops: a number there and back over a MessagePort. */
import assert from 'node:assert/strict';
import type { MessagePort } from 'node:worker_threads';

export interface PortTripTask {
  readonly type: 'trip-over-port';
  readonly role: 'ask' | 'answer';
  readonly trips: number;
  readonly port: MessagePort;
}

/** Both sides; the asking one resolves with the time of each trip in µs. */
export function tripOverPort({ role, trips, port }: PortTripTask): Promise<number[]> {
  return new Promise((resolve) => {
    const times: number[] = [];
    let trip = 0;
    let startedMs = 0;
    const ask = (): void => {
      trip += 1;
      startedMs = performance.now();
      port.postMessage(trip);
    };
    port.on('message', (value: number) => {
      if (role === 'answer') {
        port.postMessage(value);
        trip += 1;
      } else {
        times.push((performance.now() - startedMs) * 1_000);
        assert.equal(value, trip);
        if (trip < trips) return ask();
      }
      if (trip < trips) return;
      // The asking side has the last message, and both ends close with its own.
      if (role === 'ask') port.close();
      resolve(times);
    });
    if (role === 'ask') ask();
  });
}
