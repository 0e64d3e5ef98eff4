/**
 * What the logical threads of an exploration do with a ring: producers send,
 * the consumer drains or sleeps, and an undertaker tells the ring of producers
 * that have died.
 *
 * A sender writes down what it committed at the very step that publishes it,
 * so what has to arrive is known exactly, also of a sender that dies.
 */
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import type { MessageHandler } from '../../src/bus/ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { intentWordOf, slotBytes } from '../../src/bus/ring-buffer-descriptor.ts';
import { ParkStrategy } from '../../src/bus/wait-strategy.ts';
import type { Port } from './ring-interleavings-course.ts';
import { SteppedWords } from './ring-interleavings-words.ts';

/** Small enough that a few messages meet the end of the ring. */
export const capacityBytes = 1_024;
export const slotsTotal = capacityBytes / slotBytes;

/** One message of a producer, and whether it is taken back instead of committed. */
export interface Message {
  readonly slots: number;
  readonly aborted?: boolean;
}

/** Deliberate faults, to see that an exploration finds them. */
export interface Faults {
  /** Replaces the accesses to the memory. */
  readonly words?: (port: Port, setting: Setting) => SteppedWords;
  readonly wakeBeforeCommit?: boolean;
  readonly commitBeforePayload?: boolean;
  readonly deathUntold?: boolean;
  readonly batchWithoutWake?: boolean;
}

export interface Setting {
  readonly memory: SharedArrayBuffer;
  /** Producer slots in use. */
  readonly producers: readonly number[];
  /** How often a producer tries when it is refused; it gives the message up after that. */
  readonly tries: number;
  /** Whether producers wake the consumer after each message or after the last one only. */
  readonly wakes: 'each' | 'last';
  /** Whether a producer sends its messages as one batch. */
  readonly batched: boolean;
  readonly faults: Faults;
}

export interface Sending {
  readonly sender: number;
  readonly producer: number;
  readonly messages: readonly Message[];
}

export type Consumption =
  /** Drains so many times, and ends. */
  | { readonly type: 'drain'; readonly times: number; readonly limit?: number }
  /** Drains and sleeps for ever, in `Atomics.wait` or until its doorbell rings. */
  | { readonly type: 'park' | 'listen' };

/** Sender that fills the ring before an exploration and tries it afterwards, with a slot of its own. */
export const outsider = 9;

/** The new user of a dead producer's slot counts as another sender. */
function heirOf(producer: number): number {
  return producer + 2;
}

/** Places of payloads, told from words of the ring. */
const payloadPlace = 1_000_000;
/** Counts the rings of the doorbell; nothing else lies behind the words of an unused intent. */
const bellWord = intentWordOf(60) + 8;

function openRing(
  port: Port,
  setting: Setting,
  producer?: number,
  onPublished?: () => void,
): ManyToOneRingBuffer {
  const words =
    setting.faults.words?.(port, setting) ??
    new SteppedWords(setting.memory, port, setting.producers);
  if (onPublished !== undefined) words.onPublished = onPublished;
  const options = { words, waitStrategy: new ParkStrategy() };
  return new ManyToOneRingBuffer(
    setting.memory,
    producer === undefined ? options : { ...options, producer },
  );
}

export function send(port: Port, setting: Setting, { sender, producer, messages }: Sending): void {
  const { tries, faults, wakes, batched } = setting;
  /** Committed, and seen once they are published: at once, or with their run. */
  const unpublished: string[] = [];
  const ring = openRing(port, setting, producer, () => {
    for (const message of unpublished.splice(0)) port.note(message);
  });
  if (batched) ring.beginBatch();
  for (const [number, message] of messages.entries()) {
    let index = refusedClaim;
    for (let tried = 0; tried < tries && index === refusedClaim; tried += 1) {
      index = ring.tryClaim(sender, lengthOf(message));
    }
    if (index !== refusedClaim) {
      const payload = { index, slots: message.slots, value: payloadOf(sender, number) };
      if (faults.wakeBeforeCommit === true) wake(port, ring, setting);
      if (message.aborted === true) {
        ring.abort(index);
      } else {
        if (faults.commitBeforePayload !== true) writePayload(port, ring.bytes, payload);
        unpublished.push(`${sender}:${number}`);
        ring.commit(index);
        if (faults.commitBeforePayload === true) writePayload(port, ring.bytes, payload);
      }
      if (faults.wakeBeforeCommit === true) continue;
    }
    // After a refusal as well: the room may only seem to be taken.
    const isLast = number === messages.length - 1;
    if (wakes === 'each' || (isLast && !batched)) wake(port, ring, setting);
  }
  if (!batched) return;
  ring.endBatch();
  // Messages of others may have waited behind the batch, and their wakes come to nothing.
  if (faults.batchWithoutWake !== true) wake(port, ring, setting);
}

export function consume(port: Port, setting: Setting, consumption: Consumption): void {
  const ring = openRing(port, setting);
  const handler: MessageHandler = (sender, bytes, offset, lengthBytes) => {
    port.note(readPayload(port, bytes, { sender, offset, lengthBytes }));
  };
  if (consumption.type === 'drain') {
    for (let time = 0; time < consumption.times; time += 1) {
      ring.drain(handler, consumption.limit ?? slotsTotal);
    }
    return;
  }
  // It ends asleep, when nothing can wake it any more.
  for (;;) {
    ring.drain(handler, slotsTotal);
    if (consumption.type === 'park') {
      ring.park(1);
    } else if (ring.tryListen()) {
      const words = new Int32Array(setting.memory);
      port.take({
        type: 'guard',
        name: 'hears',
        value: () => (hear(words) ? 'the doorbell' : undefined),
      });
    }
  }
}

/** Tells the ring of producers that have died; the heir then sends one message through the same slot. */
export function bury(
  port: Port,
  setting: Setting,
  plan: { readonly deaths: number; readonly heir: boolean },
): void {
  const buried: number[] = [];
  for (let death = 0; death < plan.deaths; death += 1) {
    const dead = port.take({
      type: 'guard',
      name: 'sees the death of producer',
      value: (world) =>
        setting.producers.find((producer) => world.isDead(producer) && !buried.includes(producer)),
    }) as number;
    buried.push(dead);
    if (setting.faults.deathUntold === true) return;
    if (openRing(port, setting).producerEnded(dead)) ringBell(port, setting);
    if (plan.heir) {
      send(port, setting, { sender: heirOf(dead), producer: dead, messages: [{ slots: 1 }] });
    }
  }
}

function wake(port: Port, ring: ManyToOneRingBuffer, setting: Setting): void {
  if (ring.wake()) ringBell(port, setting);
}

/** A doorbell rings through a queue of the engine, whose lock orders everything. */
function ringBell(port: Port, setting: Setting): void {
  const words = new Int32Array(setting.memory);
  port.access('update', { name: 'doorbell', number: bellWord }, () => {
    words[bellWord] = (words[bellWord] ?? 0) + 1;
    return undefined;
  });
}

function hear(words: Int32Array): boolean {
  const rings = words[bellWord] ?? 0;
  if (rings > 0) words[bellWord] = rings - 1;
  return rings > 0;
}

export function lengthOf({ slots }: Message): number {
  return slots * slotBytes - 1;
}

/** One byte that no other message has. */
export function payloadOf(sender: number, number: number): number {
  return sender * 16 + number + 1;
}

/** The first byte of each slot of the message, one step each. */
function writePayload(
  port: Port,
  bytes: Buffer,
  payload: { readonly index: number; readonly slots: number; readonly value: number },
): void {
  for (let part = 0; part < payload.slots; part += 1) {
    const at = payload.index + part * slotBytes;
    port.access('write', { name: `payload at ${at}`, number: payloadPlace + at }, () => {
      bytes[at] = payload.value;
      return undefined;
    });
  }
}

/** `sender:number` of a whole message. */
function readPayload(
  port: Port,
  bytes: Buffer,
  message: { readonly sender: number; readonly offset: number; readonly lengthBytes: number },
): string {
  const values: unknown[] = [];
  for (let at = message.offset; at < message.offset + message.lengthBytes; at += slotBytes) {
    values.push(
      port.access('read', { name: `payload at ${at}`, number: payloadPlace + at }, () => bytes[at]),
    );
  }
  return describePayload(message.sender, values);
}

export function describePayload(sender: number, values: readonly unknown[]): string {
  const [first] = values;
  const number = Number(first) - payloadOf(sender, 0);
  const isWhole = values.every((value) => value === first) && number >= 0 && number < 16;
  return isWhole ? `${sender}:${number}` : `${sender} torn: ${values.join(' ')}`;
}
