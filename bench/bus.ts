/**
 * The bus against `postMessage` with a structured clone, in the same run on
 * the same threads: throughput of small and large frames and of objects, and
 * the round trip. Every payload is summed on both sides, and the sums must
 * agree.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Endpoint, EndpointSpec, ThreadSpec } from '../src/bus/endpoint.ts';
import { createBus, openEndpoint, threadId } from '../src/bus/endpoint.ts';
import { ManyToOneRingBuffer } from '../src/bus/many-to-one-ring-buffer.ts';
import { limits } from '../src/kernel/limits.ts';
import { sumOf } from './bus/payload.ts';
import type { BusDone, BusTask } from './bus/worker.ts';
import type { Figure } from './harness.ts';
import { benchOptions, figure, interleave, median, ratios, report } from './harness.ts';

const [main, other] = [threadId(0), threadId(1)];
const options = benchOptions();
const scale = options.quick ? 1 : 4;
/** One ring for every sample: its first lap would measure the page faults of new memory. */
const memory = ManyToOneRingBuffer.allocate(limits.inboxRingBytes);
const workers = [0, 1].map(() => new Worker(new URL('./bus/worker.ts', import.meta.url)));
const [worker] = workers;
assert(worker !== undefined);

function isDone(message: unknown): message is BusDone {
  return typeof message === 'object' && message !== null && 'done' in message;
}

/** Resolves with the sum that the worker reports; other messages go to `onMessage`. */
function doneOf(
  from: Worker,
  onMessage: (message: unknown) => void = () => undefined,
): Promise<number> {
  return new Promise((resolve) => {
    const hear = (message: unknown): void => {
      if (!isDone(message)) {
        onMessage(message);
        return;
      }
      from.off('message', hear);
      resolve(message.sum);
    };
    from.on('message', hear);
  });
}

function perSecond(messages: number, startedMs: number): number {
  return messages / ((performance.now() - startedMs) / 1_000);
}

/** Frames a second through a bare ring, from `producers` threads. */
async function ringRate(load: {
  messages: number;
  lengthBytes: number;
  producers: number;
}): Promise<number> {
  const ring = new ManyToOneRingBuffer(memory);
  const words = new Int32Array(memory, ring.bytes.byteOffset, ring.capacityBytes / 4);
  const each = load.messages / load.producers;
  const senders = workers.slice(0, load.producers);
  const sums = senders.map((sender) => doneOf(sender));
  const started = performance.now();
  for (const sender of senders) {
    sender.postMessage({
      type: 'ring',
      memory,
      messages: each,
      lengthBytes: load.lengthBytes,
    } satisfies BusTask);
  }
  let sum = 0;
  for (let received = 0; received < load.messages; ) {
    const taken = ring.drain((_type, _bytes, offset, length) => {
      sum = (sum + sumOf(words, { first: offset / 4, words: length / 4 })) | 0;
    }, limits.drainFramesMax);
    received += taken;
    if (taken === 0) ring.park(limits.idleWaitMsMax);
  }
  const rate = perSecond(load.messages, started);
  assert.equal(
    sum,
    (await Promise.all(sums)).reduce((total, part) => (total + part) | 0, 0),
  );
  return rate;
}

/** Structured clones a second, from `producers` threads. */
async function postRate(load: {
  messages: number;
  lengthBytes: number;
  producers: number;
}): Promise<number> {
  const each = load.messages / load.producers;
  let sum = 0;
  const started = performance.now();
  const sums = workers.slice(0, load.producers).map((sender) => {
    const done = doneOf(sender, (message) => {
      const payload = message as Int32Array;
      sum = (sum + sumOf(payload, { first: 0, words: payload.length })) | 0;
    });
    sender.postMessage({
      type: 'post',
      messages: each,
      lengthBytes: load.lengthBytes,
    } satisfies BusTask);
    return done;
  });
  const sent = (await Promise.all(sums)).reduce((total, part) => (total + part) | 0, 0);
  const rate = perSecond(load.messages, started);
  assert.equal(sum, sent);
  return rate;
}

/** A bus of this thread and one worker. */
function connect(
  waits: ThreadSpec['waits'],
  task: (spec: EndpointSpec) => BusTask,
): { endpoint: Endpoint; done: Promise<number> } {
  const bus = createBus([
    { id: main, waits },
    { id: other, waits },
  ]);
  const [own, seat] = [bus.get(main), bus.get(other)];
  assert(own !== undefined && seat !== undefined && worker !== undefined);
  const done = doneOf(worker);
  worker.postMessage(task(seat.spec), seat.transferList);
  return { endpoint: openEndpoint(own.spec), done };
}

/** Messages a second through endpoints; `sum` adds up what arrives. */
async function endpointRate(
  messages: number,
  task: (spec: EndpointSpec) => BusTask,
  sumOfBody: (body: unknown) => number,
): Promise<number> {
  const started = performance.now();
  const { endpoint, done } = connect('atomics', task);
  let sum = 0;
  for (let received = 0; received < messages; ) {
    const taken = endpoint.drain(({ body }) => {
      sum += sumOfBody(body);
    });
    received += taken;
    if (taken === 0) endpoint.park(limits.idleWaitMsMax);
  }
  const rate = perSecond(messages, started);
  assert.equal(sum | 0, (await done) | 0);
  endpoint.close();
  return rate;
}

function sumOfBytes(body: unknown): number {
  const bytes = body as Buffer;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return sumOf(words, { first: 0, words: words.length });
}

function numberOf(body: unknown): number {
  return (body as { number: number }).number;
}

async function postObjectRate(messages: number): Promise<number> {
  assert(worker !== undefined);
  const started = performance.now();
  let sum = 0;
  const done = doneOf(worker, (message) => {
    sum += numberOf(message);
  });
  worker.postMessage({ type: 'post-objects', messages } satisfies BusTask);
  assert.equal((await done) | 0, sum | 0);
  return perSecond(messages, started);
}

/** Median of a question and its answer in µs, both threads standing still while they wait. */
async function parkedTrip(trips: number): Promise<number> {
  const { endpoint, done } = connect('atomics', (spec) => ({ type: 'echo', spec }));
  const times: number[] = [];
  for (let trip = 0; trip < trips; trip += 1) {
    const started = performance.now();
    endpoint.send(other, 1, trip);
    let answer: unknown = null;
    while (answer === null) {
      const taken = endpoint.drain(({ body }) => {
        answer = body;
      });
      if (taken === 0) endpoint.park(limits.idleWaitMsMax);
    }
    times.push((performance.now() - started) * 1_000);
    assert.equal(answer, trip);
  }
  endpoint.send(other, 2, null);
  await done;
  endpoint.close();
  return median(times);
}

/** The same with both threads in their event loops, woken by doorbells. */
async function doorbellTrip(trips: number): Promise<number> {
  const { endpoint, done } = connect('event-loop', (spec) => ({ type: 'echo', spec }));
  const times: number[] = [];
  await new Promise<void>((resolve) => {
    let started = performance.now();
    endpoint.listen(({ body }) => {
      times.push((performance.now() - started) * 1_000);
      assert.equal(body, times.length);
      if (times.length === trips) return resolve();
      started = performance.now();
      endpoint.send(other, 1, times.length + 1);
    });
    endpoint.send(other, 1, 1);
  });
  endpoint.send(other, 2, null);
  await done;
  endpoint.close();
  return median(times);
}

async function postTrip(trips: number): Promise<number> {
  assert(worker !== undefined);
  const echo = worker;
  echo.postMessage({ type: 'echo-posts' } satisfies BusTask);
  const times: number[] = [];
  let started = performance.now();
  const done = doneOf(echo, (body) => {
    times.push((performance.now() - started) * 1_000);
    assert.equal(body, times.length);
    if (times.length === trips) return echo.postMessage(null);
    started = performance.now();
    echo.postMessage(times.length + 1);
  });
  echo.postMessage(1);
  await done;
  return median(times);
}

async function throughput(): Promise<Figure[]> {
  const small = { messages: 300_000 * scale, lengthBytes: 64 };
  const large = { messages: 6_000 * scale, lengthBytes: 64 * 1_024 };
  const objects = 100_000 * scale;
  const contenders = {
    ring1: () => ringRate({ ...small, producers: 1 }),
    post1: () => postRate({ ...small, producers: 1 }),
    ring2: () => ringRate({ ...small, producers: 2 }),
    post2: () => postRate({ ...small, producers: 2 }),
    bytes: () =>
      endpointRate(small.messages, (spec) => ({ type: 'endpoint', spec, ...small }), sumOfBytes),
    ringLarge: () => ringRate({ ...large, producers: 1 }),
    postLarge: () => postRate({ ...large, producers: 1 }),
    bytesLarge: () =>
      endpointRate(large.messages, (spec) => ({ type: 'endpoint', spec, ...large }), sumOfBytes),
    objects: () =>
      endpointRate(
        objects,
        (spec) => ({ type: 'endpoint-objects', spec, messages: objects }),
        numberOf,
      ),
    postObjects: () => postObjectRate(objects),
  };
  await interleave(contenders, 1); // Warms up the compiler of every thread.
  const rates = await interleave(contenders, options.repetitions);
  return [
    figure('ring 64 B, one producer / postMessage', 'x', ratios(rates.ring1, rates.post1), {
      goal: 10,
    }),
    figure('ring 64 B, two producers / postMessage', 'x', ratios(rates.ring2, rates.post2), {
      goal: 10,
    }),
    figure('ring 64 KiB / postMessage', 'x', ratios(rates.ringLarge, rates.postLarge), { goal: 4 }),
    figure('endpoint 64 B / postMessage', 'x', ratios(rates.bytes, rates.post1)),
    figure('endpoint 64 KiB / postMessage', 'x', ratios(rates.bytesLarge, rates.postLarge)),
    figure('endpoint objects / postMessage', 'x', ratios(rates.objects, rates.postObjects)),
    figure('ring 64 B, one producer', '1/s', rates.ring1),
    figure('ring 64 B, two producers', '1/s', rates.ring2),
    figure('ring 64 KiB', '1/s', rates.ringLarge),
    figure('endpoint objects', '1/s', rates.objects),
    figure('postMessage 64 B', '1/s', rates.post1),
    figure('postMessage 64 KiB', '1/s', rates.postLarge),
    figure('postMessage objects', '1/s', rates.postObjects),
  ];
}

async function roundTrips(): Promise<Figure[]> {
  const trips = 2_000 * scale;
  const contenders = {
    parked: () => parkedTrip(trips),
    doorbell: () => doorbellTrip(trips),
    post: () => postTrip(trips),
  };
  await interleave(contenders, 1);
  const times = await interleave(contenders, options.repetitions);
  const lower = { higherIsBetter: false };
  return [
    figure('round trip p50, parked threads', 'µs', times.parked, lower),
    figure('round trip p50, event loops', 'µs', times.doorbell, lower),
    figure('round trip p50, postMessage', 'µs', times.post, lower),
    figure('round trip, postMessage / parked', 'x', ratios(times.post, times.parked)),
  ];
}

await Promise.all(workers.map((each) => once(each, 'online')));
const figures = [...(await throughput()), ...(await roundTrips())];
report('bus', figures, ['msgpackr']);
await Promise.all(workers.map((each) => each.terminate()));
