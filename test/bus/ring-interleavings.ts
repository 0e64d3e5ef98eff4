/**
 * Explores a scenario of a ring: what its threads do, over which start, and
 * what must be true whenever nothing can go on any more.
 *
 *   P1. What a sender committed, dead or alive, arrives once, whole and in the
 *       sender's order; nothing else arrives.
 *   P2. A consumer sleeps only when there is nothing for it to take and the
 *       ring has room for the largest message.
 *   P3. The ring is as good as new: it takes as many messages as it has slots.
 */
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { ringLayoutOf, slotBytes } from '../../src/bus/ring-buffer-descriptor.ts';
import type { Access, LogicalThread } from './ring-interleavings-course.ts';
import {
  type EndState,
  type Exploration,
  type ExplorationPlan,
  explore,
} from './ring-interleavings-explorer.ts';
import {
  bury,
  type Consumption,
  capacityBytes,
  consume,
  describePayload,
  type Faults,
  lengthOf,
  type Message,
  outsider,
  payloadOf,
  type Setting,
  send,
  slotsTotal,
} from './ring-interleavings-programs.ts';

export interface Scenario {
  /** The messages of each producer. */
  readonly producers: readonly (readonly Message[])[];
  readonly consumer: Consumption;
  readonly tries?: number;
  readonly wakes?: Setting['wakes'];
  readonly batched?: boolean;
  /** Producers that may die; with `heir` their slots are used again. */
  readonly deaths?: number;
  readonly heir?: boolean;
  /** Position at which the ring begins, and messages of one slot that lie in it already. */
  readonly startSlots?: number;
  readonly filledSlots?: number;
  readonly stores?: ExplorationPlan['stores'];
  /**
   * `coarse` takes plain accesses to what one thread owns at that moment
   * (payload, length and type of a claim, state of a consumed record) together
   * with the step before: fewer situations, but blind for two owners.
   */
  readonly grain?: 'fine' | 'coarse';
  readonly situationsMax?: number;
  readonly faults?: Faults;
}

export function exploreRing(scenario: Scenario): Exploration {
  const { deaths = 0, heir = false, filledSlots = 0 } = scenario;
  const setting: Setting = {
    memory: ManyToOneRingBuffer.allocate(capacityBytes, scenario.startSlots ?? 0),
    producers: scenario.producers.map((_messages, producer) => producer),
    tries: scenario.tries ?? 1,
    wakes: scenario.wakes ?? 'each',
    batched: scenario.batched ?? false,
    faults: scenario.faults ?? {},
  };
  fill(setting.memory, filledSlots);
  const senders = scenario.producers.map(
    (messages, producer): LogicalThread => ({
      name: `producer ${producer}`,
      mortal: deaths > 0,
      run: (port) => send(port, setting, { sender: producer, producer, messages }),
    }),
  );
  const consumer: LogicalThread = {
    name: 'consumer',
    run: (port) => consume(port, setting, scenario.consumer),
  };
  const undertaker: LogicalThread = {
    name: 'undertaker',
    run: (port) => bury(port, setting, { deaths, heir }),
  };
  const threads = [...senders, consumer, ...(deaths > 0 ? [undertaker] : [])];
  return explore({
    memory: setting.memory,
    threads,
    deathsMax: deaths,
    stores: scenario.stores ?? 'in-order',
    isQuiet: (access) => scenario.grain === 'coarse' && isOwned(access, setting.memory),
    situationsMax: scenario.situationsMax ?? 5_000_000,
    check: (end) => checkEnd(setting.memory, { end, consumerThread: senders.length, filledSlots }),
  });
}

/** Plain accesses but those to intents, which their producer and the consumer race for. */
function isOwned({ order, place }: Access, memory: SharedArrayBuffer): boolean {
  const isPlain = order === 'read' || order === 'write';
  return isPlain && place >= ringLayoutOf(memory).entriesWord;
}

function fill(memory: SharedArrayBuffer, messages: number): number {
  const ring = new ManyToOneRingBuffer(memory, { producer: outsider });
  for (let number = 0; number < messages; number += 1) {
    const index = ring.tryClaim(outsider, lengthOf({ slots: 1 }));
    if (index === refusedClaim) return number;
    ring.bytes[index] = payloadOf(outsider, number);
    ring.commit(index);
  }
  return messages;
}

/** What a consumer that goes on where the last one stopped finds; a gap is skipped at the second look only. */
function drainRest(memory: SharedArrayBuffer): string[] {
  const ring = new ManyToOneRingBuffer(memory);
  const found: string[] = [];
  const drain = (): number =>
    ring.drain((sender, bytes, offset, lengthBytes) => {
      const values: unknown[] = [];
      for (let at = offset; at < offset + lengthBytes; at += slotBytes) values.push(bytes[at]);
      found.push(describePayload(sender, values));
    }, slotsTotal);
  for (let idle = 0; idle < 2; ) idle = drain() > 0 ? 0 : idle + 1;
  return found;
}

interface CheckedEnd {
  readonly end: EndState;
  readonly consumerThread: number;
  readonly filledSlots: number;
}

function checkEnd(memory: SharedArrayBuffer, checked: CheckedEnd): string | null {
  const { end, consumerThread, filledSlots } = checked;
  for (const [thread, how] of end.ends.entries()) {
    if (thread < consumerThread && how !== 'ended' && how !== 'dead') {
      return `producer ${thread} is ${how}`;
    }
  }
  const asleep = end.ends[consumerThread] !== 'ended';
  if (asleep && !hasRoomForLargest(memory)) return 'the consumer sleeps before a full ring'; // (P2)
  const rest = drainRest(memory);
  if (asleep && rest.length > 0) return `the consumer sleeps before ${rest.join(', ')}`; // (P2)
  const received = [...(end.notes[consumerThread] ?? []), ...rest];
  const sent = end.notes.flatMap((notes, thread) => (thread === consumerThread ? [] : notes));
  for (let number = 0; number < filledSlots; number += 1) sent.push(`${outsider}:${number}`);
  return checkDelivery(sent, received) ?? checkRing(memory);
}

/** (P1) */
function checkDelivery(sent: readonly string[], received: readonly string[]): string | null {
  const torn = received.find((message) => message.includes('torn'));
  if (torn !== undefined) return torn;
  const ofSender = (messages: readonly string[], sender: string): string =>
    messages.filter((message) => message.startsWith(`${sender}:`)).join(' ');
  const senders = new Set([...sent, ...received].map((message) => message.split(':')[0] ?? ''));
  for (const sender of senders) {
    const expected = ofSender(sent, sender);
    const found = ofSender(received, sender);
    if (expected !== found) return `sent ${expected || 'nothing'}, received ${found || 'nothing'}`;
  }
  return null;
}

/** Tries, and puts the memory back. */
function hasRoomForLargest(memory: SharedArrayBuffer): boolean {
  const kept = Buffer.from(Buffer.from(memory).toString('latin1'), 'latin1');
  const ring = new ManyToOneRingBuffer(memory, { producer: outsider });
  const index = ring.tryClaim(outsider, ring.messageBytesMax);
  kept.copy(Buffer.from(memory));
  return index !== refusedClaim;
}

/** (P3) */
function checkRing(memory: SharedArrayBuffer): string | null {
  const ring = new ManyToOneRingBuffer(memory);
  if (ring.depthBytes() !== 0) return `${ring.depthBytes()} bytes stay claimed`;
  const taken = fill(memory, slotsTotal);
  if (taken < slotsTotal) return `an empty ring takes ${taken} messages`;
  const found = drainRest(memory);
  const isWhole = found.every((message, number) => message === `${outsider}:${number}`);
  return found.length === taken && isWhole ? null : `of a full ring ${found.join(', ')} come back`;
}
