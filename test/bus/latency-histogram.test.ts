import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addLatencies,
  bucketMiddleUs,
  bucketOf,
  histogramBuckets,
  type LatencyCounts,
  summarizeLatency,
} from '../../src/bus/latency-histogram.ts';

function countsOf(values: readonly number[]): LatencyCounts {
  const counts: LatencyCounts = new Float64Array(histogramBuckets);
  for (const value of values) counts[bucketOf(value)] = (counts[bucketOf(value)] ?? 0) + 1;
  return counts;
}

const latencyUs = fc.integer({ min: 0, max: 100_000_000 });

test('a bucket stands for its values within 3.2 %, from 1 µs to 100 s', () => {
  fc.assert(
    fc.property(latencyUs, (us) => {
      expect(Math.abs(bucketMiddleUs(bucketOf(us)) - us)).toBeLessThanOrEqual(us / 31);
    }),
    { numRuns: 10_000 },
  );
});

test('buckets follow the order of their values, without a gap', () => {
  const gaps: number[] = [];
  let last = 0;
  for (let us = 0; us < 200_000; us += 1) {
    const bucket = bucketOf(us);
    if (bucket !== last && bucket !== last + 1) gaps.push(us);
    last = bucket;
  }
  expect(gaps).toEqual([]);
  expect(bucketOf(2 ** 26)).toBe(bucketOf(2 ** 26 - 1) + 1);
});

test('every bucket is reached by its own middle', () => {
  for (let bucket = 0; bucket < histogramBuckets; bucket += 1) {
    expect(bucketOf(bucketMiddleUs(bucket))).toBe(bucket);
  }
});

test.each([
  [Number.NaN, 0],
  [-5, 0],
  [0.9, 0],
  [1.9, 1],
  [2 ** 27, histogramBuckets - 1],
  [2 ** 31, histogramBuckets - 1],
  [Number.POSITIVE_INFINITY, histogramBuckets - 1],
])('%d µs, which a clock should not give, counts in bucket %d', (us, bucket) => {
  expect(bucketOf(us)).toBe(bucket);
});

test('percentiles are those of the sorted values, within the width of a bucket', () => {
  fc.assert(
    fc.property(fc.array(latencyUs, { minLength: 1, maxLength: 300, size: 'max' }), (values) => {
      const sorted = values.toSorted((a, b) => a - b);
      const exact = (share: number): number => sorted[Math.ceil(values.length * share) - 1] ?? -1;
      const summary = summarizeLatency(countsOf(values));
      expect(summary).toEqual({
        samples: values.length,
        p50Us: bucketMiddleUs(bucketOf(exact(0.5))),
        p99Us: bucketMiddleUs(bucketOf(exact(0.99))),
        maxUs: bucketMiddleUs(bucketOf(exact(1))),
      });
    }),
  );
});

test('no samples have no percentiles', () => {
  expect(summarizeLatency(countsOf([]))).toBeNull();
});

test('the difference of two snapshots holds the window alone, over several histograms', () => {
  const before = [countsOf([1, 5, 900]), null];
  const after = [countsOf([1, 5, 900, 40_000]), countsOf([7])];
  expect(addLatencies(after, before)).toEqual(countsOf([7, 40_000]));
});
