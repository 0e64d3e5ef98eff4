import { expect, test } from 'vitest';
import { bytesText, countText, latencyText } from '../../src/cli/quantity.ts';

test.each([
  [0, '0'],
  [0.04, '0'],
  [0.44, '0.4'],
  [9.96, '10'],
  [312.4, '312'],
  [999.4, '999'],
  [999.6, '1k'],
  [1_249, '1.2k'],
  [12_500, '13k'],
  [3_400_000, '3.4M'],
  [2 ** 53, '9P'],
])('%d is shown as %s', (value, text) => {
  expect(countText(value)).toBe(text);
});

test.each([
  [64, '64'],
  [1_023, '1023'],
  [1_536, '1.5K'],
  [16 * 2 ** 20, '16M'],
  [1.4 * 2 ** 30, '1.4G'],
])('%d bytes are shown as %s', (value, text) => {
  expect(bytesText(value)).toBe(text);
});

test.each([
  [undefined, '-'],
  [0, '0µs'],
  [7, '7µs'],
  [1_250, '1.3ms'],
  [48_000, '48ms'],
  [3_400_000, '3.4s'],
])('a latency of %s is shown as %s', (us, text) => {
  expect(latencyText(us)).toBe(text);
});
