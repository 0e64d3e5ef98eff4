/** A thread that answers every message with its body, until it is told to stop. */
import { workerData } from 'node:worker_threads';
import type { EndpointSpec } from '../../src/bus/endpoint.ts';
import { defineTopic, openEndpoint } from '../../src/bus/endpoint.ts';

const everyone = { policy: 'wait', publishers: 'everyone', subscribers: 'everyone' } as const;

export const echoTopic = defineTopic<unknown>({ id: 1, name: 'echo', ...everyone });
export const stopTopic = defineTopic<null>({ id: 2, name: 'stop', ...everyone });

function answer(spec: EndpointSpec): void {
  const endpoint = openEndpoint(spec);
  let stopped = false;
  endpoint.on(echoTopic, (body, { from }) => {
    if (!endpoint.send(from, echoTopic, body)) throw new Error('the outbox is full');
  });
  endpoint.on(stopTopic, () => {
    stopped = true;
    if (spec.waits === 'event-loop') void endpoint.leave();
  });
  if (spec.waits === 'event-loop') {
    endpoint.listen();
    return;
  }
  while (!stopped || !endpoint.flush()) {
    if (endpoint.drain() === 0) endpoint.park(100);
  }
  endpoint.close();
}

if (workerData !== null) answer(workerData as EndpointSpec);
