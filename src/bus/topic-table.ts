/**
 * Which thread may send and which may receive each topic, as one byte for each
 * pair. It is compiled once from the topics and answers by a lookup, for every
 * frame, at its sender and at its receiver.
 *
 * It guards against faults of the program and against damaged frames. Threads
 * of one process share their memory, so it cannot guard against hostile code
 * in one of them.
 *
 * Invariants
 *   P1. What no topic names is refused.
 *   P2. A reply goes the other way than its request: from a thread that may
 *       receive the topic to one that may send it.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import type { ThreadId } from './thread-id.ts';
import type { ThreadSet, TopicSpec } from './topic.ts';

const maySendBit = 1;
const mayReceiveBit = 2;

/** The index that no thread and no topic has. */
export const notFound = -1;

function contains(set: ThreadSet, id: ThreadId): boolean {
  return set === 'everyone' || set.includes(id);
}

export class TopicTable {
  readonly topics: readonly TopicSpec[];
  readonly threads: readonly ThreadId[];
  readonly #topicIndexes: Int16Array;
  readonly #threadIndexes = new Map<number, number>();
  readonly #permissions: Uint8Array;

  /** Threads and topics are named by their index in these lists from here on. */
  constructor(threads: readonly ThreadId[], topics: readonly TopicSpec[]) {
    assert(topics.length <= limits.busTopicsMax, 'the bus has too many topics');
    assert(new Set(topics.map(({ name }) => name)).size === topics.length, 'topic names differ');
    assert(new Set(threads).size === threads.length, 'every thread has its own id');
    this.topics = topics;
    this.threads = threads;
    this.#topicIndexes = new Int16Array(limits.busTopicsMax).fill(notFound);
    this.#permissions = new Uint8Array(topics.length * threads.length);
    threads.forEach((id, index) => {
      this.#threadIndexes.set(id, index);
    });
    topics.forEach((topic, index) => {
      assert(this.topicIndex(topic.id) === notFound, `two topics have the id ${topic.id}`);
      this.#topicIndexes[topic.id] = index;
      threads.forEach((id, thread) => {
        const send = contains(topic.publishers, id) ? maySendBit : 0;
        const receive = contains(topic.subscribers, id) ? mayReceiveBit : 0;
        this.#permissions[index * threads.length + thread] = send | receive;
      });
    });
  }

  /** Index of the topic with this id, or `notFound`. */
  topicIndex(id: number): number {
    return this.#topicIndexes[id] ?? notFound;
  }

  /** Index of the thread with this id, or `notFound`. */
  threadIndex(id: number): number {
    return this.#threadIndexes.get(id) ?? notFound;
  }

  /** The topic at an index that `topicIndex` gave. */
  topic(index: number): TopicSpec {
    const topic = this.topics[index];
    assert(topic !== undefined, `no topic has the index ${index}`);
    return topic;
  }

  /** False for the index `notFound` of either. */
  maySend(topicIndex: number, threadIndex: number): boolean {
    return (this.#permission(topicIndex, threadIndex) & maySendBit) !== 0; // (P1)
  }

  /** False for the index `notFound` of either. */
  mayReceive(topicIndex: number, threadIndex: number): boolean {
    return (this.#permission(topicIndex, threadIndex) & mayReceiveBit) !== 0; // (P1)
  }

  #permission(topicIndex: number, threadIndex: number): number {
    if (topicIndex < 0 || threadIndex < 0) return 0;
    return this.#permissions[topicIndex * this.threads.length + threadIndex] ?? 0;
  }
}
