/**
 * A topic: one kind of message, with its number on the wire, what happens when
 * there is no room, and who may speak and hear. It is data, the same in every
 * thread; the types of its bodies exist at compile time only.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import type { ThreadId } from './thread-id.ts';

/** Threads that a topic names; all of the bus where it does not matter which. */
export type ThreadSet = readonly ThreadId[] | 'everyone';

/** What a thread needs to know of a topic; structured-cloneable. */
export interface TopicSpec {
  /** 0 to `limits.busTopicsMax` − 1, its number in frames. */
  readonly id: number;
  /** For people, kebab-case. */
  readonly name: string;
  /**
   * Where an inbox is full: `wait` queues in the bounded outbox of the sender,
   * `shed` gives the message up and tells the sender so.
   */
  readonly policy: 'wait' | 'shed';
  /** Who may send it, and ask with it. Everybody else is refused. */
  readonly publishers: ThreadSet;
  /** Who may receive it, and reply to it. Everybody else is refused. */
  readonly subscribers: ThreadSet;
  /** Whether a message that was shed becomes a dead letter. */
  readonly reportShed?: boolean;
}

declare const bodyType: unique symbol;
declare const replyType: unique symbol;

/** A topic whose messages have a `Body`; a request with it is answered by a `Reply`. */
export interface Topic<Body, Reply = never> extends TopicSpec {
  /** A function, so that a topic of one body does not pass for one of a wider. */
  readonly [bodyType]?: (body: Body) => Body;
  readonly [replyType]?: () => Reply;
}

export function defineTopic<Body, Reply = never>(spec: TopicSpec): Topic<Body, Reply> {
  assert(
    Number.isInteger(spec.id) && spec.id >= 0 && spec.id < limits.busTopicsMax,
    `not a topic id: ${spec.id}`,
  );
  assert(/^[a-z][a-z0-9-]*$/.test(spec.name), `not a topic name: ${spec.name}`);
  return spec;
}
