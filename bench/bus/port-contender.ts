/**
 * Peer: `postMessage` over a MessagePort of its own, which is a little faster
 * than the port of the worker itself. It clones, or transfers the buffer.
 *
 * The sender of a transfer has to make a new buffer for each message; it
 * writes the payload straight into it. The sender of a clone keeps its buffer,
 * whose bytes are copied, as those of a frame are.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { BenchThreads } from './bench-threads.ts';
import { Arrivals, allocateArrived, Departures, inFlightMax } from './in-flight.ts';
import { type Load, rateOf } from './load.ts';
import { Ledger, markOf, stamp } from './payload.ts';

export type PortMode = 'clone' | 'transfer';

export interface PortTask {
  readonly type: 'send-over-port';
  readonly load: Load;
  readonly producer: number;
  readonly mode: PortMode;
  readonly port: MessagePort;
  readonly arrived: SharedArrayBuffer;
}

/** Sender. */
export function sendOverPort({ load, producer, mode, port, arrived }: PortTask): void {
  const departures = new Departures(arrived, inFlightMax(load.lengthBytes));
  const count = load.lengthBytes / 4;
  let words = new Int32Array(count);
  for (let number = 0; number < load.messages; number += 1) {
    departures.await(number);
    if (mode === 'transfer') words = new Int32Array(count);
    stamp({ words, first: 0, count }, markOf(producer, number));
    if (mode === 'transfer') port.postMessage(words, [words.buffer]);
    else port.postMessage(words);
  }
}

/** Receiver, in its event loop: messages a second. */
export async function portRate(threads: BenchThreads, load: Load, mode: PortMode): Promise<number> {
  const ledger = new Ledger(load.producers);
  const channels = Array.from({ length: load.producers }, () => new MessageChannel());
  const startedMs = performance.now();
  const parts = channels.map(({ port1, port2 }, producer) => {
    const arrived = allocateArrived();
    const task: PortTask = { type: 'send-over-port', load, producer, mode, port: port2, arrived };
    const all = hearAll(port1, new Arrivals(arrived), load, ledger);
    return Promise.all([all, threads.run(producer, task, [port2])]);
  });
  await Promise.all(parts);
  const rate = rateOf(load, startedMs);
  for (const { port1 } of channels) port1.close();
  return rate;
}

function hearAll(port: MessagePort, arrivals: Arrivals, load: Load, ledger: Ledger): Promise<void> {
  let received = 0;
  return new Promise((resolve) => {
    port.on('message', (words: Int32Array) => {
      ledger.check(words, 0, words.length);
      received += 1;
      arrivals.set(received);
      if (received === load.messages) resolve();
    });
  });
}
