/** A thread that answers every message with its body, until it is told to stop. */
import { workerData } from 'node:worker_threads';
import type { BusMessage, EndpointSpec } from '../../src/bus/endpoint.ts';
import { openEndpoint } from '../../src/bus/endpoint.ts';

const echoTopic = 1;
const stopTopic = 2;

const spec = workerData as EndpointSpec;
const endpoint = openEndpoint(spec);
let stopped = false;

function answer({ from, topic, body, correlation }: BusMessage): void {
  if (topic === stopTopic) stopped = true;
  else if (!endpoint.send(from, echoTopic, body, correlation))
    throw new Error('the outbox is full');
  if (stopped && spec.waits === 'event-loop') endpoint.close();
}

if (spec.waits === 'event-loop') {
  endpoint.listen(answer);
} else {
  while (!stopped || !endpoint.flush()) {
    if (endpoint.drain(answer) === 0) endpoint.park(100);
  }
  endpoint.close();
}
