/**
 * What canonical texts are made with is kept for the next time, within bounds (law D8).
 *
 * Method: values that never come again, so many that whatever is not bounded shows
 * in the heap, which is measured behind a full collection.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { canonicalText } from '../../src/kernel/canonical-json.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const mebibyte = 1024 * 1024;

/** More bytes of heap behind `count` values than before, at most 0 where it shrank. */
function keptBytes(count: number, made: (index: number) => unknown): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < count; index += 1) canonicalText(made(index));
  // Names of keys that only a dead object had go with the second one.
  for (let times = 0; times < 3; times += 1) collect();
  return process.memoryUsage().heapUsed - before;
}

/** A text that is its own, in one piece. */
function textOf(index: number, characters: number): string {
  return Buffer.alloc(characters, `${index} is not "${index + 1}"; `).toString('latin1');
}

test.each([
  ['many long texts', 2_000, 32 * mebibyte, (index: number) => textOf(index, 20_000)],
  ['few texts that are too long', 40, 8 * mebibyte, (index: number) => textOf(index, mebibyte)],
  [
    'objects of many kinds',
    100_000,
    16 * mebibyte,
    (index: number) => ({ [`a${index}`]: 1, [`b${index}`]: 2 }),
  ],
  [
    'objects with too many keys',
    1,
    32 * mebibyte,
    () => Object.fromEntries(Array.from({ length: 200_000 }, (_, key) => [`k${key}`, 1])),
  ],
  [
    'objects with keys that are too long',
    400,
    16 * mebibyte,
    (index: number) => ({ [textOf(index, 100_000)]: 1 }),
  ],
] as const)('%s leave little behind', (_, count, bytesMax, made) => {
  expect(keptBytes(count, made)).toBeLessThan(bytesMax);
});
