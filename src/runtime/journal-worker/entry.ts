/**
 * The journal's thread: whatever gathers in the ring while one group is being
 * synced is the next group. It waits for nobody but the disk.
 *
 * Invariants
 *   J1. Progress is published only after the group is durable; in the relaxed
 *       mode, after it is written, and the disk follows within a second.
 *   J2. After any failure the failed flag is up before the thread ends, so no
 *       producer waits for a journal that is gone.
 *   J3. A notice that found no room is sent again until it or a later one was
 *       taken.
 *   J4. An idle journal and a closing one end in a mark, so that damage to
 *       their last group is told from a torn tail.
 *   J5. Progress also passes what dead producers left half written.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { ThreadCounters } from '../../bus/bus-counters.ts';
import { type Endpoint, openEndpoint } from '../../bus/endpoint.ts';
import { ManyToOneRingBuffer } from '../../bus/many-to-one-ring-buffer.ts';
import type { ThreadId } from '../../bus/thread-id.ts';
import { batchTopic, openJournalCounters } from '../../journal/journal-counters.ts';
import { JournalProgress } from '../../journal/journal-progress.ts';
import { JournalWriter } from '../../journal/journal-writer.ts';
import { assert } from '../../kernel/assert.ts';
import { systemClock } from '../../kernel/clock.ts';
import { toErrorMessage } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { topics } from '../topics.ts';
import type { DurableNotice, JournalWorkerData, JournalWorkerMessage } from './protocol.ts';

/** Batches may add nothing, when their blobs are known; progress is published all the same. */
const batchesPerGroupMax = 4_096;

assert(!isMainThread && parentPort !== null, 'the journal entry runs in a worker');
const port = parentPort;

function post(message: JournalWorkerMessage): void {
  port.postMessage(message);
}

/** Tells the threads that subscribe, each of which may have missed some (J3). */
class Notices {
  readonly #endpoint: Endpoint;
  #behind: readonly ThreadId[] = [];
  #latest: DurableNotice | null = null;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  publish(notice: DurableNotice): void {
    this.#latest = notice;
    this.#behind = this.#endpoint.publish(topics.durable, notice);
  }

  sendAgain(): void {
    const notice = this.#latest;
    if (notice === null) return;
    this.#behind = this.#behind.filter(
      (thread) => !this.#endpoint.send(thread, topics.durable, notice),
    );
  }
}

class JournalLoop {
  readonly #ring: ManyToOneRingBuffer;
  readonly #progress: JournalProgress;
  readonly #writer: JournalWriter;
  readonly #notices: Notices;
  readonly #counters: ThreadCounters;
  #marked = true;
  #published = -1;
  #syncedMs = systemClock.monotonicMs();

  constructor(
    writer: JournalWriter,
    parts: {
      ring: ManyToOneRingBuffer;
      progress: JournalProgress;
      notices: Notices;
      counters: ThreadCounters;
    },
  ) {
    this.#writer = writer;
    this.#ring = parts.ring;
    this.#progress = parts.progress;
    this.#notices = parts.notices;
    this.#counters = parts.counters;
    this.#publish();
  }

  run(): void {
    for (;;) {
      // Asked before the last drain, so that nothing sent before the stop is left behind.
      const stop = this.#progress.stopRequested();
      this.#forget();
      if (this.#commitGathered()) continue;
      if (stop) break;
      this.#rest();
    }
    this.#mark();
    this.#writer.trim();
    this.#writer.close();
  }

  /** Between two groups, so that what comes later names no text of a segment that is to go. */
  #forget(): void {
    if (!this.#progress.forgetRequested()) return;
    this.#writer.forgetTexts();
    this.#progress.forgotten();
  }

  /** Writes what lies in the ring as one group; false when nothing did. */
  #commitGathered(): boolean {
    let batches = 0;
    this.#counters.depth(this.#ring.depthBytes());
    while (this.#writer.stagedBytes < limits.commitGroupBytes && batches < batchesPerGroupMax) {
      if (this.#ring.drain(this.#stage, 1) === 0) break;
      batches += 1;
    }
    if (batches === 0) {
      // Whoever waits for what a dead producer left half written learns that it is passed (J5).
      if (this.#ring.consumerPosition() !== this.#published) this.#publish();
      return false;
    }
    this.#writer.commit();
    this.#marked = false;
    this.#publish();
    this.#syncInTime();
    return true;
  }

  /** For the relaxed mode under load; without load the mark does it. */
  #syncInTime(): void {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.#syncedMs < limits.relaxedSyncMsMax) return;
    this.#writer.sync();
    this.#syncedMs = nowMs;
  }

  readonly #stage = (_type: number, bytes: Buffer, offset: number, length: number): void => {
    this.#counters.received(batchTopic, length);
    const refusal = this.#writer.stage(bytes, offset, length);
    if (refusal !== null) post({ type: 'refused', error: toErrorMessage(refusal) });
  };

  /** Sleeps until a producer wakes it; after a sleep without mail it marks (J4). */
  #rest(): void {
    this.#notices.sendAgain();
    const before = this.#ring.producerPosition();
    this.#ring.park(limits.idleWaitMsMax);
    this.#counters.wakeUp();
    if (!this.#marked && this.#ring.producerPosition() === before) this.#mark();
  }

  #mark(): void {
    if (this.#marked) return;
    this.#writer.mark(systemClock.nowMs());
    this.#marked = true;
    this.#publish();
  }

  #publish(): void {
    const { committed } = this.#writer; // (J1)
    const ringPosition = this.#ring.consumerPosition();
    this.#published = ringPosition;
    this.#progress.publish({ ...committed, ringPosition });
    this.#notices.publish({ position: ringPosition, ...committed });
  }
}

function main(data: JournalWorkerData): void {
  const progress = new JournalProgress(data.memory.progress);
  try {
    const endpoint = openEndpoint(data.endpoint);
    const { dataDirectory, segmentBytes, mode } = data;
    const writer = JournalWriter.open(dataDirectory, { segmentBytes, mode });
    const loop = new JournalLoop(writer, {
      ring: new ManyToOneRingBuffer(data.memory.ring),
      progress,
      notices: new Notices(endpoint),
      counters: openJournalCounters(data.memory.counters).writer(endpoint.index),
    });
    post({ type: 'started', recovered: writer.recovered });
    loop.run();
    endpoint.close();
    post({ type: 'closed' });
  } catch (error) {
    progress.fail(); // (J2)
    post({ type: 'failed', error: toErrorMessage(error) });
  }
}

main(workerData as JournalWorkerData);
