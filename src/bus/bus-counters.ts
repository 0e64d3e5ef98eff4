/**
 * What the threads of a bus count, in shared memory: each thread adds to its
 * own block by plain loads and stores, and any thread may read all of them
 * without disturbing the writer.
 *
 * Invariants
 *   N1. A block has one writer, the thread itself.
 *   N2. Counting never refuses, never allocates, and never waits.
 *   N3. Each count that a reader sees is one that it really had; two counts
 *       need not be of the same moment.
 */
import { assert } from '../kernel/assert.ts';
import {
  type CountersLayout,
  type CountersShape,
  countersLayout,
  type GaugeField,
  gaugeFields,
  gaugeWord,
  noTopic,
  type OwnField,
  ownFields,
  ownWord,
  type TopicField,
  topicFields,
  topicWord,
} from './bus-counters-descriptor.ts';
import { bucketOf, histogramBuckets, type LatencyCounts } from './latency-histogram.ts';
import { addToCount, readCount, wordsPerCount } from './shared-count.ts';

export type TopicCounts = Readonly<Record<TopicField, number>>;

/** What one thread counted since the bus was made. */
export interface ThreadCountersView extends Readonly<Record<OwnField | GaugeField, number>> {
  /** By topic index. */
  readonly topics: readonly TopicCounts[];
  /** Frames whose topic is in no table. */
  readonly noTopic: TopicCounts;
  /** By topic index: latencies of the frames received, null where none was. */
  readonly latencies: readonly (LatencyCounts | null)[];
}

export class BusCounters {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #shape: CountersShape;
  readonly #layout: CountersLayout;

  /** Memory of counters that are all 0. */
  static allocate(shape: CountersShape): SharedArrayBuffer {
    return new SharedArrayBuffer(countersLayout(shape).totalBytes);
  }

  /** Opens memory that `allocate` made for the same shape; any number of threads may. */
  constructor(memory: SharedArrayBuffer, shape: CountersShape) {
    this.#layout = countersLayout(shape);
    assert(memory.byteLength === this.#layout.totalBytes, 'counters are opened in their own shape');
    this.#words = new Int32Array(memory);
    this.#shape = shape;
  }

  /** The block of a thread, 0 to threads − 1, for that thread and nobody else (N1). */
  writer(thread: number): ThreadCounters {
    return new ThreadCounters(this.#words, this.#block(thread), {
      ...this.#layout,
      topics: this.#shape.topics,
    });
  }

  /** What a thread counted so far, for anybody (N3). */
  read(thread: number): ThreadCountersView {
    const block = this.#block(thread);
    const topics = Array.from({ length: this.#shape.topics }, (_, topic) =>
      this.#readTopic(block, topic),
    );
    return {
      ...record(ownFields, (field) => readCount(this.#words, block + ownWord(field))),
      ...record(gaugeFields, (field) => Atomics.load(this.#words, block + gaugeWord(field)) >>> 0),
      topics,
      noTopic: this.#readTopic(block, noTopic),
      latencies: topics.map(({ received }, topic) =>
        received === 0 ? null : this.#readHistogram(block, topic),
      ),
    };
  }

  #readTopic(block: number, topic: number): TopicCounts {
    const start = block + this.#layout.topicsOffset + topic * this.#layout.topicStride;
    return record(topicFields, (field) => readCount(this.#words, start + topicWord(field)));
  }

  #readHistogram(block: number, topic: number): LatencyCounts {
    const start = block + this.#layout.histogramsOffset + topic * this.#layout.histogramStride;
    const counts = new Float64Array(histogramBuckets);
    for (let bucket = 0; bucket < histogramBuckets; bucket += 1) {
      counts[bucket] = readCount(this.#words, start + bucket * wordsPerCount);
    }
    return counts;
  }

  #block(thread: number): number {
    assert(thread >= 0 && thread < this.#shape.threads, `no counters for thread ${thread}`);
    return thread * this.#layout.blockWords;
  }
}

function record<Field extends string>(
  fields: readonly Field[],
  read: (field: Field) => number,
): Readonly<Record<Field, number>> {
  return Object.fromEntries(fields.map((field) => [field, read(field)])) as Record<Field, number>;
}

const published = topicWord('published');
const publishedBytes = topicWord('publishedBytes');
const deferred = topicWord('deferred');
const refused = topicWord('refused');
const shed = topicWord('shed');
const received = topicWord('received');
const receivedBytes = topicWord('receivedBytes');
const denied = topicWord('denied');
const deadLettered = topicWord('deadLettered');

/**
 * The counters of one thread, as that thread writes them (N1, N2). A topic is
 * named by its index, 0 to topics − 1, or `unknownTopic`, which has no latency.
 * Bytes and frames are integers below 2^31.
 */
export class ThreadCounters {
  readonly unknownTopic = noTopic;
  readonly #words: Int32Array;
  readonly #topics: number;
  readonly #rows: number;
  readonly #topicStride: number;
  readonly #histograms: number;
  readonly #histogramStride: number;
  readonly #own: Readonly<Record<OwnField, number>>;
  readonly #gauges: Readonly<Record<GaugeField, number>>;

  constructor(words: Int32Array, block: number, layout: CountersLayout & { topics: number }) {
    this.#words = words;
    this.#topics = layout.topics;
    this.#rows = block + layout.topicsOffset;
    this.#topicStride = layout.topicStride;
    this.#histograms = block + layout.histogramsOffset;
    this.#histogramStride = layout.histogramStride;
    this.#own = record(ownFields, (field) => block + ownWord(field));
    this.#gauges = record(gaugeFields, (field) => block + gaugeWord(field));
  }

  /** A frame of `bytes` left this thread into an inbox. */
  published(topic: number, bytes: number): void {
    const row = this.#row(topic);
    addToCount(this.#words, row + published, 1);
    addToCount(this.#words, row + publishedBytes, bytes);
  }

  /** A frame has to wait in the outbox. */
  deferred(topic: number): void {
    addToCount(this.#words, this.#row(topic) + deferred, 1);
  }

  /** A send was refused, because the outbox is full. */
  refused(topic: number): void {
    addToCount(this.#words, this.#row(topic) + refused, 1);
  }

  /** A frame of a topic that may be shed found no room. */
  shed(topic: number): void {
    addToCount(this.#words, this.#row(topic) + shed, 1);
  }

  /** A frame of `bytes` was handed to the handler. */
  received(topic: number, bytes: number): void {
    const row = this.#row(topic);
    addToCount(this.#words, row + received, 1);
    addToCount(this.#words, row + receivedBytes, bytes);
  }

  /** The permission table refused a frame, here as its sender or as its receiver. */
  denied(topic: number): void {
    addToCount(this.#words, this.#row(topic) + denied, 1);
  }

  /** A frame ended as a dead letter here. */
  deadLettered(topic: number): void {
    addToCount(this.#words, this.#row(topic) + deadLettered, 1);
  }

  /** A frame of this topic took `us` microseconds from its send to this handler. */
  latency(topic: number, us: number): void {
    assert(topic >= 0 && topic < this.#topics, 'a latency is of a topic in the table');
    const start = this.#histograms + topic * this.#histogramStride;
    addToCount(this.#words, start + bucketOf(us) * wordsPerCount, 1);
  }

  /** A damaged frame was skipped. */
  corrupt(): void {
    addToCount(this.#words, this.#own.corrupt, 1);
  }

  /** A handler threw. */
  handlerFailed(): void {
    addToCount(this.#words, this.#own.handlerFailed, 1);
  }

  /** So many frames are missing in the sequence of a sender. */
  missing(frames: number): void {
    addToCount(this.#words, this.#own.missing, frames);
  }

  /** This thread woke another, by a notification or a doorbell. */
  wokeConsumer(): void {
    addToCount(this.#words, this.#own.wokeConsumer, 1);
  }

  /** This thread came out of a sleep. */
  wakeUp(): void {
    addToCount(this.#words, this.#own.wakeUps, 1);
  }

  /** Bytes in the own inbox, at the start of a drain. */
  depth(bytes: number): void {
    this.#raise(this.#gauges.depthBytesMax, bytes);
  }

  /** Frames in the own outbox, after each change. */
  outbox(frames: number): void {
    this.#words[this.#gauges.outboxFrames] = frames;
    this.#raise(this.#gauges.outboxFramesMax, frames);
  }

  #raise(word: number, value: number): void {
    if (value > (this.#words[word] ?? 0)) this.#words[word] = value;
  }

  /** A wrong index would write into another thread's counts (N1). */
  #row(topic: number): number {
    assert(topic >= noTopic && topic < this.#topics, 'a topic is counted by its index');
    return this.#rows + topic * this.#topicStride;
  }
}
