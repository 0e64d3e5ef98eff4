/**
 * How values of many orders of magnitude become a few buckets and percentiles
 * again: log-linear, as in HdrHistogram. Each octave is cut into 16 buckets of
 * equal width, and below 16 µs every microsecond has its own.
 *
 *   µs      0 … 15      16 … 31     32 … 63     64 … 127    …   2^26 … 2^27 − 1
 *   bucket  0 … 15      16 … 31     32 … 47     48 … 63     …   368 … 383
 *   width   1 µs        1 µs        2 µs        4 µs        …   2^22 µs
 *
 * A bucket stands for its middle, so a value is off by at most 1/32 of itself
 * (3.2 %). Values of 2^27 µs (134 s) and more count in the last bucket.
 *
 * Counting is one addition by the one thread that owns a histogram; whoever
 * wants a percentile takes the counts as they are. A window is the difference
 * of two snapshots.
 */

const bucketsPerOctaveBits = 4;
const bucketsPerOctave = 2 ** bucketsPerOctaveBits;
const octaveMax = 26;

export const histogramBuckets = (octaveMax - bucketsPerOctaveBits + 2) * bucketsPerOctave;

const valueMax = 2 ** (octaveMax + 1) - 1;

/** Bucket of a latency in microseconds, rounded down; what is negative or no number counts as 0. */
export function bucketOf(us: number): number {
  if (!(us >= 1)) return 0;
  const value = us < valueMax ? us | 0 : valueMax;
  if (value < bucketsPerOctave) return value;
  const shift = 31 - bucketsPerOctaveBits - Math.clz32(value);
  return shift * bucketsPerOctave + (value >>> shift);
}

/** The microseconds that a bucket stands for: the middle of the values that it counts. */
export function bucketMiddleUs(bucket: number): number {
  if (bucket < 2 * bucketsPerOctave) return bucket;
  const shift = Math.floor(bucket / bucketsPerOctave) - 1;
  const first = (bucket - shift * bucketsPerOctave) * 2 ** shift;
  return first + (2 ** shift - 1) / 2;
}

/** Counts of the buckets, `histogramBuckets` of them. */
export type LatencyCounts = Float64Array<ArrayBuffer>;

/** The distribution of some latencies, in microseconds. */
export interface LatencySummary {
  readonly samples: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** Null when there is no sample. */
export function summarizeLatency(counts: LatencyCounts): LatencySummary | null {
  const samples = counts.reduce((sum, count) => sum + count, 0);
  if (samples === 0) return null;
  return {
    samples,
    p50Us: percentileUs(counts, Math.ceil(samples * 0.5)),
    p99Us: percentileUs(counts, Math.ceil(samples * 0.99)),
    maxUs: percentileUs(counts, samples),
  };
}

/** Middle of the bucket that holds the sample of this rank, from 1, in ascending order. */
function percentileUs(counts: LatencyCounts, rank: number): number {
  let seen = 0;
  let bucket = -1;
  while (seen < rank) {
    bucket += 1;
    seen += counts[bucket] ?? 0;
  }
  return bucketMiddleUs(bucket);
}

/** Counts of several histograms together, less those of `earlier`; null where there were none. */
export function addLatencies(
  later: readonly (LatencyCounts | null)[],
  earlier: readonly (LatencyCounts | null)[] = [],
): LatencyCounts {
  const sum = new Float64Array(histogramBuckets);
  const add = (counts: LatencyCounts | null, sign: number): void => {
    counts?.forEach((count, bucket) => {
      sum[bucket] = (sum[bucket] ?? 0) + sign * count;
    });
  };
  for (const counts of later) add(counts, 1);
  for (const counts of earlier) add(counts, -1);
  return sum;
}
