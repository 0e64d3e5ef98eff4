/**
 * Peer: BroadcastChannel with one listener. It clones like `postMessage`, and
 * the name is looked up by the runtime.
 */
import type { BenchThreads } from './bench-threads.ts';
import { Arrivals, allocateArrived, Departures, inFlightMax } from './in-flight.ts';
import { type Load, rateOf } from './load.ts';
import { Ledger, markOf, stamp } from './payload.ts';

export interface BroadcastTask {
  readonly type: 'send-over-broadcast';
  readonly load: Load;
  readonly channel: string;
  readonly arrived: SharedArrayBuffer;
}

/** Sender. */
export function sendOverBroadcast({ load, channel: name, arrived }: BroadcastTask): void {
  const channel = new BroadcastChannel(name);
  const departures = new Departures(arrived, inFlightMax(load.lengthBytes));
  const count = load.lengthBytes / 4;
  const words = new Int32Array(count);
  for (let number = 0; number < load.messages; number += 1) {
    departures.await(number);
    stamp({ words, first: 0, count }, markOf(0, number));
    channel.postMessage(words);
  }
  channel.close();
}

/** Receiver, in its event loop: messages a second of one producer. */
export async function broadcastRate(threads: BenchThreads, load: Load): Promise<number> {
  const ledger = new Ledger(1);
  const name = `openclaw-bench-${performance.now()}`;
  const channel = new BroadcastChannel(name);
  const arrived = allocateArrived();
  const arrivals = new Arrivals(arrived);
  const startedMs = performance.now();
  const all = new Promise<void>((resolve) => {
    channel.onmessage = (event) => {
      const words = event.data as Int32Array;
      ledger.check(words, 0, words.length);
      arrivals.set(ledger.received);
      if (ledger.received === load.messages) resolve();
    };
  });
  const task: BroadcastTask = { type: 'send-over-broadcast', load, channel: name, arrived };
  await Promise.all([all, threads.run(0, task)]);
  const rate = rateOf(load, startedMs);
  channel.close();
  return rate;
}
