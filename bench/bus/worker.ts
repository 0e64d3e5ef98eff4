/** The other thread of the bus benchmark: it sends, or answers, what its task says. */
import assert from 'node:assert/strict';
import { parentPort } from 'node:worker_threads';
import type { EndpointSpec } from '../../src/bus/endpoint.ts';
import { openEndpoint, threadId } from '../../src/bus/endpoint.ts';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { objectPayload, stamp } from './payload.ts';

interface Load {
  readonly messages: number;
  readonly lengthBytes: number;
}

export type BusTask =
  | ({ readonly type: 'ring'; readonly memory: SharedArrayBuffer } & Load)
  | ({ readonly type: 'post' } & Load)
  | ({ readonly type: 'endpoint'; readonly spec: EndpointSpec } & Load)
  | { readonly type: 'endpoint-objects'; readonly spec: EndpointSpec; readonly messages: number }
  | { readonly type: 'post-objects'; readonly messages: number }
  | { readonly type: 'echo'; readonly spec: EndpointSpec }
  | { readonly type: 'echo-posts' };

/** What the worker posts when its part is done. */
export interface BusDone {
  readonly done: true;
  /** Sum of all payloads that it sent. */
  readonly sum: number;
}

assert(parentPort !== null, 'the benchmark starts this thread');
const parent = parentPort;
const pause = new Int32Array(new SharedArrayBuffer(4));
const main = threadId(0);

/** Lets another thread have the processor while a ring is full. */
function giveWay(): void {
  Atomics.wait(pause, 0, 0, 0.05);
}

function sendOverRing({
  memory,
  messages,
  lengthBytes,
}: Extract<BusTask, { type: 'ring' }>): number {
  const ring = new ManyToOneRingBuffer(memory);
  const target = new Int32Array(memory, ring.bytes.byteOffset, ring.capacityBytes / 4);
  const words = lengthBytes / 4;
  const prepared = Buffer.from(new ArrayBuffer(lengthBytes));
  const preparedWords = new Int32Array(prepared.buffer);
  let sum = 0;
  for (let number = 0; number < messages; number += 1) {
    let index = ring.tryClaim(1, lengthBytes);
    while (index === refusedClaim) {
      giveWay();
      index = ring.tryClaim(1, lengthBytes);
    }
    if (lengthBytes <= 1_024) {
      sum = (sum + stamp(target, { first: index / 4, words }, number)) | 0;
    } else {
      // A long payload exists somewhere already and is copied whole.
      sum = (sum + stamp(preparedWords, { first: 0, words }, number)) | 0;
      prepared.copy(ring.bytes, index);
    }
    ring.commit(index);
    ring.wake();
  }
  return sum;
}

function sendOverPost({ messages, lengthBytes }: Load): number {
  const payload = new Int32Array(lengthBytes / 4);
  let sum = 0;
  for (let number = 0; number < messages; number += 1) {
    sum = (sum + stamp(payload, { first: 0, words: payload.length }, number)) | 0;
    parent.postMessage(payload);
  }
  return sum;
}

function sendOverEndpoint({
  spec,
  messages,
  lengthBytes,
}: Extract<BusTask, { type: 'endpoint' }>): number {
  const endpoint = openEndpoint(spec);
  const payload = Buffer.from(new ArrayBuffer(lengthBytes));
  const words = new Int32Array(payload.buffer);
  let sum = 0;
  for (let number = 0; number < messages; number += 1) {
    sum = (sum + stamp(words, { first: 0, words: words.length }, number)) | 0;
    while (!endpoint.offer(main, 1, payload)) giveWay();
  }
  endpoint.close();
  return sum;
}

function sendObjectsOverEndpoint({
  spec,
  messages,
}: Extract<BusTask, { type: 'endpoint-objects' }>): number {
  const endpoint = openEndpoint(spec);
  for (let number = 0; number < messages; number += 1) {
    while (!endpoint.offer(main, 1, objectPayload(number))) giveWay();
  }
  endpoint.close();
  return (messages * (messages - 1)) / 2;
}

function sendObjectsOverPost(messages: number): number {
  for (let number = 0; number < messages; number += 1) parent.postMessage(objectPayload(number));
  return (messages * (messages - 1)) / 2;
}

/** Answers until a message on topic 2. */
function answerOverEndpoint(spec: EndpointSpec, done: () => void): void {
  const endpoint = openEndpoint(spec);
  let stopped = false;
  const answer = ({ topic, body }: { topic: number; body: unknown }): void => {
    if (topic === 2) stopped = true;
    else endpoint.send(main, 1, body);
    if (stopped) {
      endpoint.close();
      done();
    }
  };
  if (spec.waits === 'event-loop') endpoint.listen(answer);
  else while (!stopped) if (endpoint.drain(answer) === 0) endpoint.park(100);
}

function finish(sum: number): void {
  const message: BusDone = { done: true, sum };
  parent.postMessage(message);
}

function perform(task: BusTask): void {
  switch (task.type) {
    case 'ring':
      finish(sendOverRing(task));
      return;
    case 'post':
      finish(sendOverPost(task));
      return;
    case 'endpoint':
      finish(sendOverEndpoint(task));
      return;
    case 'endpoint-objects':
      finish(sendObjectsOverEndpoint(task));
      return;
    case 'post-objects':
      finish(sendObjectsOverPost(task.messages));
      return;
    case 'echo':
      answerOverEndpoint(task.spec, () => finish(0));
      return;
    case 'echo-posts': {
      const answer = (body: unknown): void => {
        if (body !== null) {
          parent.postMessage(body);
          return;
        }
        parent.off('message', answer);
        parent.on('message', perform);
        finish(0);
      };
      parent.off('message', perform);
      parent.on('message', answer);
      return;
    }
  }
}

parent.on('message', perform);
