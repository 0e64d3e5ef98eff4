import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { addToCount, readCount, wordsPerCount } from '../../src/bus/shared-count.ts';

function newWords(counts = 1): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(counts * wordsPerCount * 4));
}

test('adds exactly over every carry of its low word', () => {
  const words = newWords();
  const steps = [2 ** 31 - 1, 2 ** 31 - 1, 1, 1, 0, 2 ** 31 - 1, 5, 2 ** 31 - 1, 2 ** 30];
  let expected = 0;
  for (let round = 0; round < 1_000; round += 1) {
    for (const step of steps) {
      addToCount(words, 0, step);
      expected += step;
      expect(readCount(words, 0)).toBe(expected);
    }
  }
  expect(expected).toBeGreaterThan(2 ** 42);
});

test('counts on exactly up to the largest safe integer', () => {
  const words = newWords();
  words[0] = -2;
  words[1] = 2 * (2 ** 21 - 1);
  expect(readCount(words, 0)).toBe(2 ** 53 - 2);
  addToCount(words, 0, 1);
  expect(readCount(words, 0)).toBe(Number.MAX_SAFE_INTEGER);
});

test('neighbours do not disturb each other', () => {
  const words = newWords(3);
  for (let round = 0; round < 10; round += 1) addToCount(words, wordsPerCount, 2 ** 31 - 1);
  expect([0, 1, 2].map((count) => readCount(words, count * wordsPerCount))).toEqual([
    0,
    10 * (2 ** 31 - 1),
    0,
  ]);
});

/** Words beside the count that is raced for. */
const stopWord = 2;
const additionsWord = 3;

/**
 * Goal: no reader ever sees one word of before a carry and one of after it.
 * Method: a thread adds almost half of the low word's range each time, so that
 * every second or third addition carries; the count must never go back, and
 * must always be a multiple of the step. Half an update is neither.
 */
test('a reader in another thread sees only values that the count had', async () => {
  const words = newWords(2);
  const step = 2 ** 31 - 1;
  const additionsMax = 4_000_000;
  const module = new URL('../../src/bus/shared-count.ts', import.meta.url).href;
  const worker = new Worker(
    `const { workerData: words } = require('node:worker_threads');
     import(${JSON.stringify(module)}).then(({ addToCount }) => {
       for (let additions = 1; additions <= ${additionsMax}; additions += 1) {
         addToCount(words, 0, ${step});
         words[${additionsWord}] = additions;
         if (Atomics.load(words, ${stopWord}) === 1) break;
       }
     });`,
    { eval: true, workerData: words },
  );
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  let running = true;
  void ended.then(() => {
    running = false;
  });
  while (running && readCount(words, 0) === 0) await new Promise(setImmediate);
  let last = 0;
  let changes = 0;
  let wrong = 0;
  for (let reads = 0; changes < 50_000 && reads < 20_000_000; reads += 1) {
    const value = readCount(words, 0);
    if (value < last || value % step !== 0) wrong += 1;
    if (value !== last) changes += 1;
    last = value;
  }
  Atomics.store(words, stopWord, 1);
  await ended;
  expect(wrong).toBe(0);
  expect(changes).toBeGreaterThan(10);
  expect(readCount(words, 0)).toBe((words[additionsWord] ?? 0) * step);
});
