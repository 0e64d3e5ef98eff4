/**
 * The whole bus: topics, permissions, counters, and payloads that arrive as
 * copies of their own. Beside the bare frames it shows what these cost.
 */
import type { BenchThreads } from './bench-threads.ts';
import { type Load, rateOf } from './load.ts';
import { giveWay } from './pacing.ts';
import { Ledger, markOf, stamp } from './payload.ts';
import { parkedSeat, payloads, type Seat } from './seats.ts';

export interface EndpointTask {
  readonly type: 'send-over-endpoint';
  readonly load: Load;
}

/** Sender. */
export function sendOverEndpoint({ endpoint }: Seat, { load }: EndpointTask): void {
  const count = load.lengthBytes / 4;
  const words = new Int32Array(count);
  const bytes = Buffer.from(words.buffer);
  for (let number = 0; number < load.messages; number += 1) {
    stamp({ words, first: 0, count }, markOf(0, number));
    while (!endpoint.send(parkedSeat(0), payloads, bytes)) giveWay();
  }
}

/** Receiver, in a loop that parks: messages a second of one producer. */
export async function endpointRate(threads: BenchThreads, load: Load): Promise<number> {
  const ledger = new Ledger(1);
  const { parked } = threads;
  parked.onPayload = (body) => {
    const words = new Int32Array(body.buffer, body.byteOffset, body.length / 4);
    ledger.check(words, 0, words.length);
  };
  const startedMs = performance.now();
  const sent = threads.run(0, { type: 'send-over-endpoint', load });
  parked.drainAll(load.messages);
  const rate = rateOf(load, startedMs);
  await sent;
  return rate;
}
