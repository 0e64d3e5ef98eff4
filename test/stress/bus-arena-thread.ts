/**
 * A thread that passes payloads of the arena around: it fills new ones, checks
 * those that come, and sends them on or gives them up. It stops when the word
 * of its task says so.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { defineTopic, type EndpointSpec, openEndpoint } from '../../src/bus/endpoint.ts';
import type { Lease } from '../../src/bus/lease.ts';

export interface ArenaTask {
  readonly spec: EndpointSpec;
  /** An Int32: 0 work, 1 send no more, 2 leave. */
  readonly orders: SharedArrayBuffer;
  readonly seed: number;
}

export interface ArenaReport {
  readonly accepted: number;
  readonly damaged: number;
}

export const payloadTopic = defineTopic<Lease>({
  id: 1,
  name: 'payload',
  policy: 'wait',
  publishers: 'everyone',
  subscribers: 'everyone',
});

const wordsMax = 16_384;
const heldMax = 8;

function work({ spec, orders, seed }: ArenaTask): void {
  const endpoint = openEndpoint(spec);
  const { arena } = endpoint;
  if (arena === null) throw new Error('the bus has an arena');
  const order = new Int32Array(orders);
  const peers = spec.peers.map(({ id }) => id);
  const kept: Lease[] = [];
  let state = seed;
  let accepted = 0;
  let damaged = 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pass = (lease: Lease): void => {
    const to = peers[random(peers.length)];
    if (to === undefined || !endpoint.send(to, payloadTopic, lease)) lease.release();
  };
  const make = (): void => {
    const lease = arena.tryAllocateTensor('i32', [1 + random(wordsMax)]);
    if (lease === null) return;
    stamp(lease.view() as Int32Array, random(2 ** 30));
    const copy = random(3) === 0 ? lease.tryDuplicate() : null;
    if (copy !== null) pass(copy);
    pass(lease);
  };

  endpoint.on(payloadTopic, (lease) => {
    accepted += 1;
    if (!isWhole(lease.view() as Int32Array)) damaged += 1;
    if (kept.length < heldMax && random(4) === 0) kept.push(lease);
    else if (Atomics.load(order, 0) === 0 && random(2) === 0) pass(lease);
    else lease.release();
  });

  for (let orderNow = 0; orderNow < 2; orderNow = Atomics.load(order, 0)) {
    if (orderNow === 0) for (let burst = 0; burst < 4; burst += 1) make();
    if (endpoint.drain() === 0) endpoint.park(1);
    if (kept.length === heldMax || orderNow > 0)
      for (const lease of kept.splice(0)) lease.release();
  }
  const report: ArenaReport = { accepted, damaged };
  parentPort?.postMessage(report);
  endpoint.close();
}

/** Every 64th word and the last tell the first. */
function stamp(words: Int32Array, mark: number): void {
  for (let at = 0; at < words.length; at += 64) words[at] = mark ^ at;
  words[words.length - 1] = mark ^ (words.length - 1);
}

function isWhole(words: Int32Array): boolean {
  const last = words.length - 1;
  const mark = (words[last] ?? 0) ^ last;
  for (let at = 0; at < last; at += 64) if (words[at] !== (mark ^ at)) return false;
  return true;
}

if (workerData !== null) work(workerData as ArenaTask);
