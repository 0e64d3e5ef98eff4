import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { Endpoint, ThreadSpec } from '../../src/bus/endpoint.ts';
import { createBus, openEndpoint, threadId } from '../../src/bus/endpoint.ts';

const [main, echo] = [threadId(0), threadId(1)];
const echoTopic = 1;
const stopTopic = 2;

const workers: Worker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

function start(
  waits: ThreadSpec['waits'],
  inboxBytes = 8_192,
): { endpoint: Endpoint; ended: Promise<unknown> } {
  const bus = createBus([
    { id: main, waits: 'event-loop', inboxBytes },
    { id: echo, waits, inboxBytes },
  ]);
  const [own, other] = [bus.get(main), bus.get(echo)];
  if (own === undefined || other === undefined) throw new Error('both threads have a seat');
  const worker = new Worker(new URL('./echo-thread.ts', import.meta.url), {
    workerData: other.spec,
    transferList: other.transferList,
  });
  workers.push(worker);
  return { endpoint: openEndpoint(own.spec), ended: once(worker, 'exit') };
}

describe.each(['atomics', 'event-loop'] as const)('a thread that waits by %s', (waits) => {
  it('answers questions that are asked one at a time, each asleep before the next', async () => {
    const { endpoint, ended } = start(waits);
    const correlations: number[] = [];
    const rounds = 2_000;
    await new Promise<void>((resolve) => {
      endpoint.listen(({ correlation, body }) => {
        expect(body).toEqual({ round: correlation });
        correlations.push(correlation);
        if (correlation === rounds) resolve();
        else endpoint.send(echo, echoTopic, { round: correlation + 1 }, correlation + 1);
      });
      endpoint.send(echo, echoTopic, { round: 1 }, 1);
    });
    endpoint.send(echo, stopTopic, null);
    expect(await ended).toEqual([0]);
    endpoint.close();
    expect(correlations).toEqual(Array.from({ length: rounds }, (_, index) => index + 1));
  });

  it('answers a burst larger than both inboxes, in order', async () => {
    const { endpoint, ended } = start(waits, 1_024);
    const burst = 3_000;
    const bodies: unknown[] = [];
    await new Promise<void>((resolve) => {
      endpoint.listen(({ body }) => {
        bodies.push(body);
        if (bodies.length === burst) resolve();
      });
      for (let index = 0; index < burst; index += 1) {
        expect(endpoint.send(echo, echoTopic, index)).toBe(true);
      }
    });
    endpoint.send(echo, stopTopic, null);
    await ended;
    endpoint.close();
    expect(bodies).toEqual(Array.from({ length: burst }, (_, index) => index));
    expect(endpoint.statistics()).toMatchObject({ refused: 0, corrupt: 0, received: burst });
  });
});
