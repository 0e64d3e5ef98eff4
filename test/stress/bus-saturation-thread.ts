/** A thread that keeps the inbox of thread 0 full, until the word of its task is set. */
import { workerData } from 'node:worker_threads';
import { defineTopic, type EndpointSpec, openEndpoint, threadId } from '../../src/bus/endpoint.ts';

export interface SaturationTask {
  readonly spec: EndpointSpec;
  readonly stop: SharedArrayBuffer;
}

export const drop = defineTopic<number>({
  id: 1,
  name: 'drop',
  policy: 'shed',
  publishers: 'everyone',
  subscribers: 'everyone',
});

function saturate({ spec, stop }: SaturationTask): void {
  const endpoint = openEndpoint(spec);
  const word = new Int32Array(stop);
  for (let number = 0; Atomics.load(word, 0) === 0; number += 1) {
    if (!endpoint.send(threadId(0), drop, number)) Atomics.wait(word, 0, 0, 0.05);
  }
  endpoint.close();
}

if (workerData !== null) saturate(workerData as SaturationTask);
