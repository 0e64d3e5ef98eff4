/**
 * Who hears what is published on a topic, and which threads have ended, as
 * bits in shared memory: every thread reads them, the subscriber writes.
 *
 *   Int32  0          1 … 2                3 + 2 × topic …
 *   ┌────────────────┬────────────────────┬──────────────────────────────┐
 *   │ changes        │ ended threads      │ subscribers of each topic    │
 *   │ of the bits    │ one bit a thread   │ one bit a thread             │
 *   │ beside it      │                    │                              │
 *   └────────────────┴────────────────────┴──────────────────────────────┘
 *
 * Invariants
 *   B1. A bit changes by one atomic operation, so no change of another thread
 *       is lost.
 *   B2. A thread that has ended subscribes to nothing.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';

const changesWord = 0;
const endedWord = 1;
const topicsWord = 3;
const bitsPerWord = 32;
const wordsPerSet = 2;

assert(limits.busThreadsMax <= bitsPerWord * wordsPerSet, 'a set has a bit for each thread');

export class Subscriptions {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #topics: number;

  /** Memory in which nobody subscribes and nobody has ended. */
  static allocate(topics: number): SharedArrayBuffer {
    return new SharedArrayBuffer((topicsWord + topics * wordsPerSet) * 4);
  }

  /** Opens memory that `allocate` made; any number of threads may. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#topics = (this.#words.length - topicsWord) / wordsPerSet;
  }

  add(topicIndex: number, threadIndex: number): void {
    Atomics.or(this.#words, this.#topicWord(topicIndex, threadIndex), bitOf(threadIndex)); // (B1)
  }

  remove(topicIndex: number, threadIndex: number): void {
    Atomics.and(this.#words, this.#topicWord(topicIndex, threadIndex), ~bitOf(threadIndex)); // (B1)
  }

  has(topicIndex: number, threadIndex: number): boolean {
    const word = Atomics.load(this.#words, this.#topicWord(topicIndex, threadIndex));
    return (word & bitOf(threadIndex)) !== 0;
  }

  /** Whether anybody hears the topic. */
  hasAny(topicIndex: number): boolean {
    const word = this.#topicWord(topicIndex, 0);
    return (Atomics.load(this.#words, word) | Atomics.load(this.#words, word + 1)) !== 0;
  }

  /** Notes that a thread has ended; its subscriptions end with it (B2). */
  end(threadIndex: number): void {
    Atomics.or(this.#words, endedWord + wordOf(threadIndex), bitOf(threadIndex));
    for (let topic = 0; topic < this.#topics; topic += 1) this.remove(topic, threadIndex);
    Atomics.add(this.#words, changesWord, 1);
  }

  hasEnded(threadIndex: number): boolean {
    const word = Atomics.load(this.#words, endedWord + wordOf(threadIndex));
    return (word & bitOf(threadIndex)) !== 0;
  }

  /** Changes whenever a thread ends; a plain read, for whoever looks often. */
  endings(): number {
    return this.#words[changesWord] ?? 0;
  }

  #topicWord(topicIndex: number, threadIndex: number): number {
    assert(topicIndex >= 0 && topicIndex < this.#topics, `no topic has the index ${topicIndex}`);
    return topicsWord + topicIndex * wordsPerSet + wordOf(threadIndex);
  }
}

function wordOf(threadIndex: number): number {
  assert(threadIndex >= 0 && threadIndex < limits.busThreadsMax, `not a thread: ${threadIndex}`);
  return threadIndex >> 5;
}

function bitOf(threadIndex: number): number {
  return 1 << (threadIndex & (bitsPerWord - 1));
}
