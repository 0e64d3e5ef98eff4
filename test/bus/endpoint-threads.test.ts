import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { Endpoint, ThreadSpec } from '../../src/bus/endpoint.ts';
import { createBus, openEndpoint, seatOf, threadId } from '../../src/bus/endpoint.ts';
import { echoTopic, stopTopic } from './echo-thread.ts';
import { numbers } from './small-bus.ts';

const [main, echo] = [threadId(0), threadId(1)];

const workers: Worker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

function start(
  waits: ThreadSpec['waits'],
  inboxBytes = 8_192,
): { endpoint: Endpoint; ended: Promise<unknown> } {
  const bus = createBus({
    threads: [
      { id: main, name: 'main', waits: 'event-loop', inboxBytes },
      { id: echo, name: 'echo', waits, inboxBytes },
    ],
    topics: [echoTopic, stopTopic],
  });
  const { spec, transferList } = seatOf(bus, echo);
  const worker = new Worker(new URL('./echo-thread.ts', import.meta.url), {
    workerData: spec,
    transferList,
  });
  workers.push(worker);
  const ended = once(worker, 'exit').finally(() => bus.monitor.close());
  return { endpoint: openEndpoint(seatOf(bus, main).spec), ended };
}

describe.each(['atomics', 'event-loop'] as const)('a thread that waits by %s', (waits) => {
  it('answers questions that are asked one at a time, each asleep before the next', async () => {
    const { endpoint, ended } = start(waits);
    const answers: unknown[] = [];
    const rounds = 2_000;
    await new Promise<void>((resolve) => {
      endpoint.on(echoTopic, (body) => {
        answers.push(body);
        if (answers.length === rounds) resolve();
        else endpoint.send(echo, echoTopic, { round: answers.length });
      });
      endpoint.listen();
      endpoint.send(echo, echoTopic, { round: 0 });
    });
    endpoint.send(echo, stopTopic, null);
    expect(await ended).toEqual([0]);
    endpoint.close();
    expect(answers).toEqual(numbers(rounds).map((round) => ({ round })));
  });

  it('answers a burst larger than both inboxes, in order', async () => {
    const { endpoint, ended } = start(waits, 1_024);
    const burst = 3_000;
    const bodies: unknown[] = [];
    await new Promise<void>((resolve) => {
      endpoint.on(echoTopic, (body) => {
        bodies.push(body);
        if (bodies.length === burst) resolve();
      });
      endpoint.listen();
      for (const number of numbers(burst)) {
        expect(endpoint.send(echo, echoTopic, number)).toBe(true);
      }
    });
    endpoint.send(echo, stopTopic, null);
    await ended;
    endpoint.close();
    expect(bodies).toEqual(numbers(burst));
    expect(endpoint.statistics()).toMatchObject({
      refused: 0,
      corrupt: 0,
      missing: 0,
      received: burst,
    });
  });
});
