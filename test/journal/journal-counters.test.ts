import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { batchTopic, openJournalCounters } from '../../src/journal/journal-counters.ts';
import { allocateJournalMemory, JournalProducer } from '../../src/journal/journal-producer.ts';
import { EventChain } from './event-chain.ts';

test('each producer counts what it appends in the block of its slot', () => {
  const memory = allocateJournalMemory(64 * 1024);
  const chain = new EventChain();
  const second = new JournalProducer(memory, 2);
  new JournalProducer(memory, 1).append([chain.next()]);
  second.append([chain.next(), chain.next()]);
  second.append([chain.next()]);
  const counters = openJournalCounters(memory.counters);
  const [first, twice] = [1, 2].map((slot) => counters.read(slot).topics[batchTopic]);
  expect([first?.published, twice?.published]).toEqual([1, 2]);
  expect(first?.publishedBytes).toBeGreaterThan(0);
  expect(twice?.publishedBytes).toBeGreaterThan(2 * (first?.publishedBytes ?? 0));
});

/**
 * Goal: a producer that finds no room counts it. Method: nobody drains the
 * ring, and another thread declares the journal failed, which ends the wait.
 */
test('a producer that finds no room counts every refusal', async () => {
  const memory = allocateJournalMemory(16 * 1024);
  const module = new URL('../../src/journal/journal-progress.ts', import.meta.url).href;
  const producer = new JournalProducer(memory, 3);
  const worker = new Worker(
    `const { workerData, parentPort } = require('node:worker_threads');
     import(${JSON.stringify(module)}).then(({ JournalProgress }) => {
       const { progress } = workerData;
       parentPort.postMessage('ready');
       setTimeout(() => new JournalProgress(progress).fail(), 100);
     });`,
    { eval: true, workerData: memory },
  );
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  await new Promise((resolve) => worker.once('message', resolve));
  const chain = new EventChain();
  const fill = (): void => {
    for (;;) producer.append([chain.next()]);
  };
  expect(fill).toThrow(expect.objectContaining({ code: 'JOURNAL_FAILED' }));
  await ended;
  const counts = openJournalCounters(memory.counters).read(3).topics[batchTopic];
  expect(counts?.refused).toBeGreaterThanOrEqual(1);
  expect(counts?.published).toBeGreaterThanOrEqual(1);
});
