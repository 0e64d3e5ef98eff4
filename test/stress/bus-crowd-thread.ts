/**
 * A thread in a crowd: it sends numbered messages to every thread, itself
 * included, checks what it receives, and reports once all has arrived.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { BusMessage, EndpointSpec, ThreadId } from '../../src/bus/endpoint.ts';
import { openEndpoint } from '../../src/bus/endpoint.ts';

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

const { spec, messagesEach } = workerData as CrowdTask;
const endpoint = openEndpoint(spec);
const everyone = spec.peers.map(({ id }) => id);
const next = new Map<ThreadId, number>(everyone.map((id) => [id, 0]));
let sent = 0;
let received = 0;
let disordered = 0;

function sendSome(): void {
  for (let burst = 0; burst < 20 && sent < messagesEach; burst += 1) {
    if (endpoint.outboxRoom() < everyone.length) return;
    for (const to of everyone)
      endpoint.send(to, 1, { number: sent, filling: 'x'.repeat(sent % 90) });
    sent += 1;
  }
}

function take({ from, body }: BusMessage): void {
  const { number, filling } = body as { number: number; filling: string };
  if (number !== next.get(from) || filling.length !== number % 90) disordered += 1;
  next.set(from, number + 1);
  received += 1;
}

function isDone(): boolean {
  return received === messagesEach * everyone.length && sent === messagesEach && endpoint.flush();
}

function finish(): void {
  const { corrupt, deferred } = endpoint.statistics();
  const report: CrowdReport = { received, disordered, corrupt, deferred };
  parentPort?.postMessage(report);
}

if (spec.waits === 'event-loop') {
  const step = (): void => {
    sendSome();
    if (!isDone()) setTimeout(step, 0);
    else {
      finish();
      endpoint.close();
    }
  };
  endpoint.listen(take);
  step();
} else {
  while (!isDone()) {
    sendSome();
    if (endpoint.drain(take) === 0) endpoint.park(sent < messagesEach ? 0 : 100);
  }
  finish();
  endpoint.close();
}
