/**
 * A thread in a flood: it offers ten times as many messages as it handles, to
 * everybody else, and handles slowly. Hosts park, the model has an event loop.
 * Orders of the model lead to an outcome each, which must not be refused.
 */
import { parentPort, workerData } from 'node:worker_threads';
import {
  defineTopic,
  type Endpoint,
  type EndpointSpec,
  openEndpoint,
  type ThreadId,
  threadId,
} from '../../src/bus/endpoint.ts';

export const [model, ...hosts] = [threadId(1), threadId(2), threadId(3)];

/** Host to model: do this, and tell me its outcome. */
const order = defineTopic<number>({
  id: 1,
  name: 'order',
  policy: 'wait',
  publishers: hosts,
  subscribers: [model],
});
const outcome = defineTopic<number>({
  id: 2,
  name: 'outcome',
  policy: 'wait',
  publishers: [model],
  subscribers: hosts,
});
/** Model to hosts, and left out where they are slow. */
const token = defineTopic<string>({
  id: 3,
  name: 'token',
  policy: 'shed',
  publishers: [model],
  subscribers: hosts,
});
/** Host to host. */
const letter = defineTopic<string>({
  id: 4,
  name: 'letter',
  policy: 'wait',
  publishers: hosts,
  subscribers: hosts,
});
export const floodTopics = [order, outcome, token, letter];

export interface FloodTask {
  readonly spec: EndpointSpec;
  /** Two Int32: 0 flood, 1 send nothing new and drain, 2 leave; and how many hosts have subscribed. */
  readonly orders: SharedArrayBuffer;
}

export interface FloodReport {
  /** By topic and receiver, as `topic>thread`: how many sends were accepted, and how many not. */
  readonly accepted: Readonly<Record<string, number>>;
  readonly turnedAway: Readonly<Record<string, number>>;
  /** As above: messages handled here. */
  readonly handled: Readonly<Record<string, number>>;
  /** Bytes of the thread's heap and of memory outside it, in the course of the flood. */
  readonly memoryBytes: readonly number[];
  readonly outboxFramesMax: number;
  readonly disordered: number;
}

const floodFactor = 10;
const handlingUs = 20;
const memoryEveryMs = 250;

class Tally {
  readonly accepted: Record<string, number> = {};
  readonly turnedAway: Record<string, number> = {};
  readonly handled: Record<string, number> = {};
  readonly memoryBytes: number[] = [];
  disordered = 0;
  outboxFramesMax = 0;
  #memoryAtMs = 0;

  offered(topic: { readonly name: string }, to: ThreadId, isAccepted: boolean): void {
    const counts = isAccepted ? this.accepted : this.turnedAway;
    const key = `${topic.name}>${to}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }

  took(topic: { readonly name: string }, self: ThreadId): void {
    const key = `${topic.name}>${self}`;
    this.handled[key] = (this.handled[key] ?? 0) + 1;
  }

  look(endpoint: Endpoint): void {
    this.outboxFramesMax = Math.max(this.outboxFramesMax, endpoint.statistics().outboxFrames);
    if (performance.now() - this.#memoryAtMs < memoryEveryMs) return;
    this.#memoryAtMs = performance.now();
    const { heapUsed, external } = process.memoryUsage();
    this.memoryBytes.push(heapUsed + external);
  }
}

function handle(): void {
  for (const end = performance.now() + handlingUs / 1_000; performance.now() < end; );
}

/** Waits until every host has subscribed: what is published to fewer would count as accepted by all. */
function awaitAll(orders: Int32Array): void {
  Atomics.add(orders, 1, 1);
  Atomics.notify(orders, 1);
  for (let ready = 0; ready < hosts.length; ready = Atomics.load(orders, 1)) {
    Atomics.wait(orders, 1, ready);
  }
}

function floodAsHost(endpoint: Endpoint, orders: Int32Array): void {
  const { self } = endpoint;
  const tally = new Tally();
  let number = 0;
  let next = 0;
  endpoint.on(outcome, (body) => {
    tally.took(outcome, self);
    // Orders of one host are carried out in their order.
    if (body < next) tally.disordered += 1;
    next = body + 1;
    handle();
  });
  endpoint.on(token, () => {
    tally.took(token, self);
    handle();
  });
  endpoint.on(letter, () => {
    tally.took(letter, self);
    handle();
  });
  endpoint.subscribe(token);
  awaitAll(orders);
  let taken = 1;
  for (let now = 0; now < 2 || !endpoint.flush(); now = Atomics.load(orders, 0)) {
    for (let offer = 0; now === 0 && offer < floodFactor * Math.max(1, taken); offer += 1) {
      for (const to of hosts) {
        if (to !== self) tally.offered(letter, to, endpoint.send(to, letter, `letter ${number}`));
      }
      // A step begins only while its outbox has room for all that it emits.
      const isBegun = endpoint.outboxRoom() >= 1 && endpoint.send(model, order, number);
      tally.offered(order, model, isBegun);
      number += 1;
    }
    taken = endpoint.drain();
    if (now === 0) tally.look(endpoint);
    if (taken === 0) endpoint.park(1);
  }
  parentPort?.postMessage({ ...tally } satisfies FloodReport);
  endpoint.close();
}

function floodAsModel(endpoint: Endpoint, orders: Int32Array): void {
  const tally = new Tally();
  endpoint.onReserved(order, (body, { from }, reservation) => {
    tally.took(order, endpoint.self);
    handle();
    for (let index = 0; index < floodFactor / hosts.length; index += 1) {
      const missed = endpoint.publish(token, `token ${index}`);
      for (const host of hosts) tally.offered(token, host, !missed.includes(host));
    }
    reservation.send(from, outcome, body);
    tally.offered(outcome, from, true);
    if (Atomics.load(orders, 0) === 0) tally.look(endpoint);
  });
  endpoint.listen();
  const leave = setInterval(() => {
    if (Atomics.load(orders, 0) < 2 || !endpoint.flush()) return;
    clearInterval(leave);
    parentPort?.postMessage({ ...tally } satisfies FloodReport);
    endpoint.close();
  }, 10);
}

if (workerData !== null) {
  const { spec, orders } = workerData as FloodTask;
  const endpoint = openEndpoint(spec);
  const flood = spec.waits === 'atomics' ? floodAsHost : floodAsModel;
  flood(endpoint, new Int32Array(orders));
}
