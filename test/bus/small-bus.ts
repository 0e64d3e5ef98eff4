/** A bus with small inboxes whose seats are all opened in one thread. */
import { onTestFinished } from 'vitest';
import type { ArenaClass } from '../../src/bus/arena-descriptor.ts';
import { type DeadLetter, deadLetterTopicId } from '../../src/bus/dead-letters.ts';
import {
  type Bus,
  createBus,
  defineTopic,
  type Endpoint,
  openEndpoint,
  seatOf,
  type ThreadSpec,
  threadId,
} from '../../src/bus/endpoint.ts';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import type { TopicSpec } from '../../src/bus/topic.ts';

export const [a, b, c] = [threadId(0), threadId(1), threadId(2)];
export const smallInbox = 8_192;

const everyone = { publishers: 'everyone', subscribers: 'everyone' } as const;

export const deadLetters = defineTopic<DeadLetter>({
  id: deadLetterTopicId,
  name: 'dead-letters',
  policy: 'shed',
  ...everyone,
});
export const note = defineTopic<unknown>({ id: 1, name: 'note', policy: 'wait', ...everyone });
export const tick = defineTopic<unknown>({ id: 2, name: 'tick', policy: 'shed', ...everyone });
export const question = defineTopic<string, string>({
  id: 3,
  name: 'question',
  policy: 'wait',
  publishers: [a],
  subscribers: [b],
});
/** Only from a to b. */
export const order = defineTopic<number>({
  id: 4,
  name: 'order',
  policy: 'wait',
  publishers: [a],
  subscribers: [b],
});
export const reported = defineTopic<unknown>({
  id: 5,
  name: 'reported',
  policy: 'shed',
  reportShed: true,
  ...everyone,
});

const smallTopics: readonly TopicSpec[] = [deadLetters, note, tick, question, order, reported];

export interface SmallBus {
  readonly bus: Bus;
  readonly endpoints: readonly Endpoint[];
  /** The inbox of the thread with this index, to look into or to write to by hand. */
  inboxOf(index: number): ManyToOneRingBuffer;
}

/** A bus of threads 0, 1, 2 …, each with the given way of waiting. */
export function smallBus(
  waits: readonly ThreadSpec['waits'][],
  options: {
    readonly topics?: readonly TopicSpec[];
    readonly arena?: readonly ArenaClass[];
    readonly inboxBytes?: number;
  } = {},
): SmallBus {
  const { topics = smallTopics, arena, inboxBytes = smallInbox } = options;
  const bus = createBus({
    threads: waits.map((how, index) => ({
      id: threadId(index),
      name: `thread-${index}`,
      waits: how,
      inboxBytes,
    })),
    topics,
    ...(arena === undefined ? {} : { arena }),
  });
  const endpoints = waits.map((_, index) => openEndpoint(seatOf(bus, threadId(index)).spec));
  onTestFinished(() => {
    for (const endpoint of endpoints) endpoint.close();
    bus.monitor.close();
  });
  return {
    bus,
    endpoints,
    inboxOf: (index) => {
      const memory = seatOf(bus, a).spec.peers[index]?.inbox;
      if (memory === undefined) throw new Error('no such thread');
      // No endpoint of the bus has the last slot.
      return new ManyToOneRingBuffer(memory, { producer: waits.length });
    },
  };
}

/** Three threads that park. */
export function three() {
  const house = smallBus(['atomics', 'atomics', 'atomics']);
  const [first, second, third] = house.endpoints as [Endpoint, Endpoint, Endpoint];
  return { ...house, first, second, third };
}

/** Keeps what an endpoint hears on a topic. */
export function kept(endpoint: Endpoint, topic: TopicSpec): unknown[] {
  const bodies: unknown[] = [];
  endpoint.on(topic, (body: unknown) => bodies.push(body));
  return bodies;
}

/** Sends numbered notes until the inbox is full and `waiting` more wait in the outbox. */
export function fill(from: Endpoint, to: Endpoint, waiting: number): number {
  let sent = 0;
  while (from.statistics().outboxFrames < waiting) {
    for (let room = waiting - from.statistics().outboxFrames; room > 0; room -= 1) {
      if (!from.send(to.self, note, sent)) throw new Error('the outbox is full');
      sent += 1;
    }
  }
  return sent;
}

/** Lets slices, immediates and doorbells have their turns. */
export async function turns(count = 4): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
