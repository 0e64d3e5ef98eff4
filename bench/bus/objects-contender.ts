/**
 * Objects through the codec and the ring, encoded by the sender and decoded by
 * the receiver; through the whole bus; and by the peers: `postMessage`, and
 * msgpackr with its shared records in the place of the codec. Its records are
 * given to both sides beforehand, which the codec does without.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Packr } from 'msgpackr';
import {
  encodeBody,
  type FrameBody,
  frameHeaderBytes,
  frameLength,
  readBody,
  readHeader,
  writeFrame,
} from '../../src/bus/frame.ts';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { type MessageHandler, refusedClaim } from '../../src/bus/ring-buffer.ts';
import { threadId } from '../../src/bus/thread-id.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { BenchThreads } from './bench-threads.ts';
import { frameRecord, reusedHeader } from './frame-header.ts';
import { type EventSize, ObjectPayload } from './object-payload.ts';
import { drainAll, giveWay } from './pacing.ts';
import { objects, parkedSeat, type Seat } from './seats.ts';

/** Keys of objects that both sides of msgpackr know. */
type Records = readonly (readonly string[])[];

interface ObjectLoad {
  readonly size: EventSize;
  readonly messages: number;
}

export type ObjectsTask = { readonly type: 'send-objects'; readonly load: ObjectLoad } & (
  | { readonly over: 'frames'; readonly memory: SharedArrayBuffer }
  | { readonly over: 'msgpackr'; readonly memory: SharedArrayBuffer; readonly records: Records }
  | { readonly over: 'endpoint' }
  | { readonly over: 'port'; readonly port: MessagePort }
);

/** Sender. */
export function sendObjects(seat: Seat, task: ObjectsTask): void {
  const payload = new ObjectPayload(task.load.size);
  const send = senderOf(seat, task);
  for (let number = 0; number < task.load.messages; number += 1) {
    send(payload.objectOf(number), number);
  }
}

function senderOf({ endpoint }: Seat, task: ObjectsTask): (object: object, number: number) => void {
  switch (task.over) {
    case 'frames':
      return frameSender(task.memory, encodeBody);
    case 'msgpackr': {
      const packr = packrOf(task.records);
      return frameSender(task.memory, (object) => ({ kind: 'bytes', bytes: packr.pack(object) }));
    }
    case 'endpoint':
      return (object) => {
        while (!endpoint.send(parkedSeat(0), objects, object)) giveWay();
      };
    case 'port':
      return (object) => task.port.postMessage(object);
  }
}

/** A side of msgpackr that knows the records already. */
function packrOf(records: Records): Packr {
  return new Packr({
    getStructures: () => structuredClone(records) as string[][],
    saveStructures: () => true,
  });
}

/** The records that msgpackr makes of an object. */
function recordsOf(object: object): Records {
  let records: Records = [];
  const packr = new Packr({
    getStructures: () => [],
    saveStructures: (structures) => {
      records = (structures as string[][]).map((keys) => [...keys]);
      return true;
    },
  });
  packr.pack(object);
  return records;
}

function frameSender(
  memory: SharedArrayBuffer,
  encode: (object: object) => FrameBody,
): (object: object, number: number) => void {
  const ring = new ManyToOneRingBuffer(memory, { producer: 0 });
  const header = reusedHeader(threadId(1));
  return (object, number) => {
    const body = encode(object);
    const length = frameLength(body);
    let index = ring.tryClaim(frameRecord, length);
    while (index === refusedClaim) {
      giveWay();
      index = ring.tryClaim(frameRecord, length);
    }
    header.sequence = number;
    writeFrame(header, body, ring.bytes, index);
    ring.commit(index);
    ring.wake();
  };
}

/** Receivers: objects a second of one producer. */
export async function frameObjectsRate(
  threads: BenchThreads,
  load: ObjectLoad,
  memory: SharedArrayBuffer,
): Promise<number> {
  const ring = new ManyToOneRingBuffer(memory);
  const payload = new ObjectPayload(load.size);
  const receive = (_type: number, bytes: Buffer, offset: number, lengthBytes: number): void => {
    readHeader(bytes, offset, lengthBytes);
    payload.check(readBody(bytes, offset, lengthBytes));
  };
  const task = { type: 'send-objects', load, over: 'frames', memory } as const;
  return ringRate(threads, task, { ring, receive });
}

export async function msgpackrObjectsRate(
  threads: BenchThreads,
  load: ObjectLoad,
  memory: SharedArrayBuffer,
): Promise<number> {
  const ring = new ManyToOneRingBuffer(memory);
  const payload = new ObjectPayload(load.size);
  const records = recordsOf(payload.objectOf(0));
  const packr = packrOf(records);
  const receive = (_type: number, bytes: Buffer, offset: number, lengthBytes: number): void => {
    readHeader(bytes, offset, lengthBytes);
    const range = { start: offset + frameHeaderBytes, end: offset + lengthBytes };
    payload.check(packr.unpack(bytes, range));
  };
  const task = { type: 'send-objects', load, over: 'msgpackr', memory, records } as const;
  return ringRate(threads, task, { ring, receive });
}

async function ringRate(
  threads: BenchThreads,
  task: ObjectsTask,
  side: { readonly ring: ManyToOneRingBuffer; readonly receive: MessageHandler },
): Promise<number> {
  const { load } = task;
  const { ring, receive } = side;
  const startedMs = performance.now();
  const sent = threads.run(0, task);
  drainAll(
    load.messages,
    () => ring.drain(receive, limits.drainFramesMax),
    () => ring.park(limits.idleWaitMsMax),
  );
  const rate = rateOf(load, startedMs);
  await sent;
  return rate;
}

export async function endpointObjectsRate(
  threads: BenchThreads,
  load: ObjectLoad,
): Promise<number> {
  const payload = new ObjectPayload(load.size);
  threads.parked.onObject = (object) => payload.check(object);
  const startedMs = performance.now();
  const sent = threads.run(0, { type: 'send-objects', load, over: 'endpoint' });
  threads.parked.drainAll(load.messages);
  const rate = rateOf(load, startedMs);
  await sent;
  return rate;
}

export async function portObjectsRate(threads: BenchThreads, load: ObjectLoad): Promise<number> {
  const payload = new ObjectPayload(load.size);
  const { port1, port2 } = new MessageChannel();
  const startedMs = performance.now();
  const sent = threads.run(0, { type: 'send-objects', load, over: 'port', port: port2 }, [port2]);
  await new Promise<void>((resolve) => {
    port1.on('message', (object) => {
      payload.check(object);
      if (payload.received === load.messages) resolve();
    });
  });
  const rate = rateOf(load, startedMs);
  await sent;
  port1.close();
  return rate;
}

function rateOf({ messages }: ObjectLoad, startedMs: number): number {
  return messages / ((performance.now() - startedMs) / 1_000);
}
