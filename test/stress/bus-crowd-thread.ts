/**
 * A thread in a crowd: it sends numbered messages to every thread, itself
 * included, checks what it receives, and reports once all has arrived.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { EndpointSpec, ThreadId } from '../../src/bus/endpoint.ts';
import { defineTopic, openEndpoint } from '../../src/bus/endpoint.ts';

interface CrowdMessage {
  readonly number: number;
  readonly filling: string;
}

export interface CrowdTask {
  readonly spec: EndpointSpec;
  readonly messagesEach: number;
}

export interface CrowdReport {
  readonly received: number;
  readonly disordered: number;
  readonly corrupt: number;
  readonly deferred: number;
}

export const crowdTopic = defineTopic<CrowdMessage>({
  id: 1,
  name: 'crowd',
  policy: 'wait',
  publishers: 'everyone',
  subscribers: 'everyone',
});

function join({ spec, messagesEach }: CrowdTask): void {
  const endpoint = openEndpoint(spec);
  const everyone = spec.peers.map(({ id }) => id);
  const next = new Map<ThreadId, number>(everyone.map((id) => [id, 0]));
  let sent = 0;
  let received = 0;
  let disordered = 0;

  endpoint.on(crowdTopic, ({ number, filling }, { from }) => {
    if (number !== next.get(from) || filling.length !== number % 90) disordered += 1;
    next.set(from, number + 1);
    received += 1;
  });

  const sendSome = (): void => {
    for (let burst = 0; burst < 20 && sent < messagesEach; burst += 1) {
      if (endpoint.outboxRoom() < everyone.length) return;
      const filling = 'x'.repeat(sent % 90);
      for (const to of everyone) endpoint.send(to, crowdTopic, { number: sent, filling });
      sent += 1;
    }
  };
  const isDone = (): boolean =>
    received === messagesEach * everyone.length && sent === messagesEach && endpoint.flush();
  const finish = (): void => {
    const { corrupt, deferred, missing } = endpoint.statistics();
    const report: CrowdReport = { received, disordered, corrupt: corrupt + missing, deferred };
    parentPort?.postMessage(report);
    endpoint.close();
  };

  if (spec.waits === 'event-loop') {
    const step = (): void => {
      sendSome();
      if (isDone()) finish();
      else setTimeout(step, 0);
    };
    endpoint.listen();
    step();
    return;
  }
  while (!isDone()) {
    sendSome();
    if (endpoint.drain() === 0) endpoint.park(sent < messagesEach ? 0 : 100);
  }
  finish();
}

if (workerData !== null) join(workerData as CrowdTask);
