/**
 * Where every counter lies in the shared memory of a bus. Layout is data: the
 * names below are the fields that a reader sees, in the order of their words.
 *
 *   block 0 (thread 0)              block 1 (thread 1)   …
 *   ┌───────────────────────────────┬────────────────────┐
 *   │                               │                    │
 *   └───────────────────────────────┴────────────────────┘
 *
 *   one block, each part a multiple of 128 bytes
 *   byte 0          128             256               256 + topics × 128
 *   ┌──────────────┬───────────────┬─────────────────┬──────────────────────────┐
 *   │ own counts   │ row of frames │ rows of topics  │ histograms of topics     │
 *   │ and gauges   │ of no topic   │ 128 B each      │ 384 × 8 B each           │
 *   └──────────────┴───────────────┴─────────────────┴──────────────────────────┘
 *
 *   a count         │ low uint32 │ high uint32 │   see shared-count.ts
 *   a gauge         │ uint32     │              a value as it is now, or a maximum
 *
 * A block is written by one thread alone. Blocks are multiples of 128 bytes, so
 * that no two threads write to one cache line nor to the pair of lines that the
 * processor fetches together.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { histogramBuckets } from './latency-histogram.ts';
import { wordsPerCount } from './shared-count.ts';

/** What a thread counts for each topic. */
export const topicFields = [
  'published',
  'publishedBytes',
  'deferred',
  'refused',
  'shed',
  'received',
  'receivedBytes',
  'denied',
  'deadLettered',
] as const;

/** What a thread counts for itself. */
export const ownFields = [
  'corrupt',
  'handlerFailed',
  'missing',
  'wokeConsumer',
  'wakeUps',
] as const;

/** What a thread shows of itself: frames in its outbox, and high-water marks. */
export const gaugeFields = ['depthBytesMax', 'outboxFrames', 'outboxFramesMax'] as const;

export type TopicField = (typeof topicFields)[number];
export type OwnField = (typeof ownFields)[number];
export type GaugeField = (typeof gaugeFields)[number];

const wordBytes = 4;
const strideWords = 128 / wordBytes;

assert(topicFields.length * wordsPerCount <= strideWords, 'a topic row holds its counts');
assert(
  ownFields.length * wordsPerCount + gaugeFields.length <= strideWords,
  'the first part of a block holds counts and gauges',
);
assert((histogramBuckets * wordsPerCount) % strideWords === 0, 'a histogram fills its lines');

/** Word of a field inside the part that it belongs to. */
export function topicWord(field: TopicField): number {
  return topicFields.indexOf(field) * wordsPerCount;
}
export function ownWord(field: OwnField): number {
  return ownFields.indexOf(field) * wordsPerCount;
}
export function gaugeWord(field: GaugeField): number {
  return ownFields.length * wordsPerCount + gaugeFields.indexOf(field);
}

export interface CountersShape {
  /** Threads of the bus, 1 to `limits.busThreadsMax`. */
  readonly threads: number;
  /** Topics of the bus, 0 to `limits.busTopicsMax`. */
  readonly topics: number;
}

/** Offsets and strides in words of an Int32Array over the whole memory. */
export interface CountersLayout {
  readonly blockWords: number;
  /** Of the row of topic 0, inside a block; the row of `noTopic` lies before it. */
  readonly topicsOffset: number;
  readonly topicStride: number;
  /** Of the histogram of topic 0, inside a block. */
  readonly histogramsOffset: number;
  readonly histogramStride: number;
  readonly totalBytes: number;
}

/** The topic index of frames whose topic is in no table. */
export const noTopic = -1;

export function countersLayout({ threads, topics }: CountersShape): CountersLayout {
  assert(
    Number.isInteger(threads) && threads >= 1 && threads <= limits.busThreadsMax,
    'counters are for the threads of a bus',
  );
  assert(
    Number.isInteger(topics) && topics >= 0 && topics <= limits.busTopicsMax,
    'counters are for the topics of a bus',
  );
  const topicsOffset = 2 * strideWords;
  const histogramStride = histogramBuckets * wordsPerCount;
  const histogramsOffset = topicsOffset + topics * strideWords;
  const blockWords = histogramsOffset + topics * histogramStride;
  return {
    blockWords,
    topicsOffset,
    topicStride: strideWords,
    histogramsOffset,
    histogramStride,
    totalBytes: threads * blockWords * wordBytes,
  };
}
