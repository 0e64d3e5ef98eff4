import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createBus, type Endpoint, openEndpoint, seatOf } from '../../src/bus/endpoint.ts';
import { blobRecord } from '../../src/journal/blob-record.ts';
import { allocateJournalMemory, JournalProducer } from '../../src/journal/journal-producer.ts';
import { JournalProgress } from '../../src/journal/journal-progress.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import type { JournalMode } from '../../src/journal/journal-writer.ts';
import { recordDescriptor } from '../../src/journal/record-descriptor.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { limits } from '../../src/kernel/limits.ts';
import {
  type JournalWorkerClient,
  startJournalWorker,
} from '../../src/runtime/journal-worker/client.ts';
import type { DurableNotice } from '../../src/runtime/journal-worker/protocol.ts';
import { journalThread, mainThread, topics } from '../../src/runtime/topics.ts';
import {
  EventChain,
  segmentBytesOf,
  smallSegment,
  temporaryFolder,
  writeSegment,
} from '../journal/journal-fixture.ts';

const { durableOffset, groupOffset } = recordDescriptor;
/** Slot in the journal's ring of whoever appends here. */
const producerSlot = 0;

interface Running {
  readonly client: JournalWorkerClient;
  readonly endpoint: Endpoint;
  /** Resolves when the ring position is durable. */
  durable(position: number): Promise<DurableNotice>;
}

async function start(
  dataDirectory: string,
  segmentBytes = smallSegment,
  mode: JournalMode = 'durable',
): Promise<Running> {
  const inboxBytes = 64 * 1024;
  const bus = createBus({
    threads: [
      { id: mainThread, name: 'main', waits: 'event-loop', inboxBytes },
      { id: journalThread, name: 'journal', waits: 'atomics', inboxBytes },
    ],
    topics: [topics.durable],
  });
  const endpoint = openEndpoint(seatOf(bus, mainThread).spec);
  endpoint.subscribe(topics.durable);
  onTestFinished(() => endpoint.close());
  const client = await startJournalWorker({
    dataDirectory,
    seat: seatOf(bus, journalThread),
    segmentBytes,
    mode,
    memory: allocateJournalMemory(64 * 1024),
  });
  endpoint.on(topics.durable, (notice) => client.deliver(notice));
  endpoint.listen();
  const durable = (position: number) =>
    new Promise<DurableNotice>((resolve) => {
      const stop = client.onDurable((notice) => {
        if (notice.position < position) return;
        stop();
        resolve(notice);
      });
    });
  return { client, endpoint, durable };
}

describe('the journal worker', () => {
  test('makes appended batches durable and tells the main thread', async () => {
    const folder = temporaryFolder();
    const { client, durable } = await start(folder);
    expect(client.recovered?.lastSequence).toBe(0);
    const producer = new JournalProducer(client.memory, producerSlot);
    const source = new EventChain();
    const told = durable(producer.append([source.next('{"n":1}'), source.next('{"n":2}')]));
    const notice = await told;
    expect(producer.durablePosition()).toBeGreaterThanOrEqual(notice.position);
    const reader = JournalReader.open(folder);
    const records = reader.advance({ segment: notice.segment, offset: notice.offset });
    expect(records.filter(({ type }) => type === 'event').map(({ body }) => `${body}`)).toEqual([
      '{"n":1}',
      '{"n":2}',
    ]);
    expect(records.at(-1)?.sequence).toBe(notice.sequence);
    expect(new JournalProgress(client.memory.progress).read().sequence).toBeGreaterThanOrEqual(
      notice.sequence,
    );
    reader.close();
    await client.close();
  });

  test('writes on close all that was appended, and a mark behind it', async () => {
    const folder = temporaryFolder();
    const { client } = await start(folder);
    const producer = new JournalProducer(client.memory, producerSlot);
    const source = new EventChain();
    for (let index = 0; index < 50; index += 1) producer.append([source.next()]);
    await client.close();
    const reader = JournalReader.open(folder, { verifyDigests: true });
    const records = reader.advance();
    expect(records.filter(({ type }) => type === 'event')).toHaveLength(50);
    expect(records.at(-2)?.type).toBe('mark');
    reader.close();
    const again = await start(folder);
    expect(again.client.recovered).toMatchObject({
      lastSequence: records.length,
      bytesCut: 0,
    });
    await again.client.close();
  });

  test('makes producers wait while the ring is full, and loses nothing', async () => {
    const folder = temporaryFolder();
    const { client } = await start(folder);
    const producer = new JournalProducer(client.memory, producerSlot);
    const source = new EventChain();
    // Many times the ring's 64 KiB.
    for (let index = 0; index < 300; index += 1) producer.append([source.next('x'.repeat(2_000))]);
    await client.close();
    const reader = JournalReader.open(folder);
    const events = reader.advance().filter(({ type }) => type === 'event');
    expect(events.map(({ actorSequence }) => actorSequence)).toEqual(
      Array.from({ length: 300 }, (_, index) => index + 1),
    );
    reader.close();
  });

  test('sends blobs ahead of a batch that is too large with them', async () => {
    const folder = temporaryFolder();
    const { client } = await start(folder);
    const producer = new JournalProducer(client.memory, producerSlot);
    const contents = Array.from({ length: 12 }, (_, index) => Buffer.alloc(3_000, `${index}`));
    producer.append([
      ...contents.map((content) => blobRecord(null, sha256(content), content, 1)),
      new EventChain().next(),
    ]);
    await client.close();
    const reader = JournalReader.open(folder);
    const records = reader.advance();
    expect(records.findLastIndex(({ type }) => type === 'blob')).toBeLessThan(
      records.findIndex(({ type }) => type === 'event'),
    );
    for (const content of contents) expect(reader.blob(sha256(content), null)).toEqual(content);
    reader.close();
  });

  test('writes a text again once it was told to forget those that segments have', async () => {
    const folder = temporaryFolder();
    const { client, durable } = await start(folder);
    const producer = new JournalProducer(client.memory, producerSlot);
    const text = blobRecord(null, sha256('a text'), Buffer.from('a text'), 1);
    await durable(producer.append([text]));
    await durable(producer.append([text]));
    await client.forgetTexts();
    await durable(producer.append([text]));
    await client.close();
    await expect(client.forgetTexts()).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
    const reader = JournalReader.open(folder);
    expect(reader.advance().filter(({ type }) => type === 'blob')).toHaveLength(2);
    reader.close();
  });

  test('reports a refused batch and goes on', async () => {
    const { client, durable } = await start(temporaryFolder());
    const producer = new JournalProducer(client.memory, producerSlot);
    const refused = new Promise<{ code: string }>((resolve) => client.onRefused(resolve));
    const source = new EventChain();
    const first = source.next();
    producer.append([first]);
    producer.append([first]);
    const notice = await durable(producer.append([source.next()]));
    expect((await refused).code).toBe('JOURNAL_REFUSED');
    expect(notice.sequence).toBeGreaterThanOrEqual(3);
    await client.close();
  });

  test('marks its end when it falls idle', async () => {
    const folder = temporaryFolder();
    const { client } = await start(folder);
    const marked = new Promise<void>((resolve) => {
      client.onDurable(({ segment, offset }) => {
        const reader = JournalReader.open(folder);
        const last = reader.advance({ segment, offset }).at(-2);
        reader.close();
        if (last?.type === 'mark') resolve();
      });
    });
    new JournalProducer(client.memory, producerSlot).append([new EventChain().next()]);
    await marked;
    await client.close();
  });

  test('does not start over a damaged journal', async () => {
    const folder = temporaryFolder();
    const { client } = await start(folder);
    new JournalProducer(client.memory, producerSlot).append([new EventChain().next()]);
    await client.close();
    const bytes = segmentBytesOf(folder, 1);
    bytes[300] = (bytes[300] ?? 0) ^ 1;
    writeSegment(folder, 1, bytes);
    await expect(start(folder)).rejects.toMatchObject({
      code: 'JOURNAL_CORRUPT',
      message: expect.stringContaining('Segment 1'),
    });
  });

  test('in the relaxed mode lets the disk follow within a second, also under load', async () => {
    const folder = temporaryFolder();
    const { client } = await start(folder, 16 * 1024 * 1024, 'relaxed');
    const producer = new JournalProducer(client.memory, producerSlot);
    const source = new EventChain();
    // More often than a journal counts as idle, for longer than the disk may stay behind.
    const end = performance.now() + limits.relaxedSyncMsMax * 1.5;
    while (performance.now() < end) {
      producer.append([source.next()]);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await client.close();
    const bytes = segmentBytesOf(folder, 1);
    const reader = JournalReader.open(folder);
    const records = reader.advance();
    reader.close();
    const lastEvent = records.findLast(({ type }) => type === 'event');
    expect(records.slice(0, -2).some(({ type }) => type === 'mark')).toBe(false);
    expect(records.at(-2)?.type).toBe('mark');
    const durable = bytes.readUInt32LE((lastEvent?.position.offset ?? 0) + durableOffset);
    expect(durable).toBeGreaterThan(128);
    expect(durable).toBeLessThan(
      bytes.readUInt32LE((lastEvent?.position.offset ?? 0) + groupOffset),
    );
  });

  test('fails every producer when it cannot open its files', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'journal'), 'a file where the folder should be');
    const threads = [{ id: journalThread, name: 'journal', waits: 'atomics' }] as const;
    const bus = createBus({ threads, topics: [topics.durable] });
    const seat = seatOf(bus, journalThread);
    const memory = allocateJournalMemory(64 * 1024);
    const started = startJournalWorker({ dataDirectory: folder, seat, memory });
    await expect(started).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
    const producer = new JournalProducer(memory, producerSlot);
    expect(producer.failed()).toBe(true);
    expect(() => producer.append([new EventChain().next()])).toThrow(/stopped after a failure/);
  });

  test('wakes a producer that waits for room when the journal fails', async () => {
    const memory = allocateJournalMemory(64 * 1024);
    const source = `
      const { workerData, parentPort } = require('node:worker_threads');
      const words = new Int32Array(workerData, 0, 3);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      Atomics.store(words, 1, 1); Atomics.add(words, 0, 2); Atomics.notify(words, 0);`;
    const worker = new Worker(source, { eval: true, workerData: memory.progress });
    const producer = new JournalProducer(memory, producerSlot);
    const events = new EventChain();
    const fill = () => {
      for (;;) producer.append([events.next('x'.repeat(4_000))]);
    };
    expect(fill).toThrow(/stopped after a failure/);
    expect(new JournalProgress(memory.progress).failed()).toBe(true);
    await once(worker, 'exit');
  });
});
