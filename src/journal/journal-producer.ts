/**
 * How any thread appends to the journal: it encodes a batch straight into the
 * shared ring and gets back the ring position that must become durable.
 *
 * Invariants
 *   A1. A batch is one ring message, hence one atomic piece of the log.
 *   A2. Blobs that make a batch too large go ahead of it in messages of their
 *       own. A blob that nothing names yet harms nobody; an event whose blob
 *       is missing would.
 *   A3. The only wait is for room in the ring, which the journal frees; it
 *       waits for nobody. It is bounded by `limits.journalStallMsMax`.
 */
import type { ThreadCounters } from '../bus/bus-counters.ts';
import { ManyToOneRingBuffer } from '../bus/many-to-one-ring-buffer.ts';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { allocateJournalCounters, batchTopic, openJournalCounters } from './journal-counters.ts';
import { JournalProgress } from './journal-progress.ts';
import { type AppendRecord, encodedBytes, encodeRecord } from './record.ts';

/** Ring message type of a batch. */
const batchMessage = 1;

/** What a thread needs to append; structured-cloneable. */
export interface JournalMemory {
  readonly ring: SharedArrayBuffer;
  readonly progress: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
}

export function allocateJournalMemory(ringBytes: number = limits.journalRingBytes): JournalMemory {
  return {
    ring: ManyToOneRingBuffer.allocate(ringBytes),
    progress: JournalProgress.allocate(),
    counters: allocateJournalCounters(),
  };
}

export class JournalProducer {
  readonly #ring: ManyToOneRingBuffer;
  readonly #progress: JournalProgress;
  readonly #counters: ThreadCounters;

  /** @param producer Slot of the calling thread in the ring, which no other living thread has. */
  constructor(memory: JournalMemory, producer: number) {
    this.#ring = new ManyToOneRingBuffer(memory.ring, { producer });
    this.#progress = new JournalProgress(memory.progress);
    this.#counters = openJournalCounters(memory.counters).writer(producer);
  }

  /**
   * Appends the records as one atomic batch, blobs before what names them.
   * Waits while the ring is full.
   * @returns The ring position that `durablePosition()` must reach.
   * @throws RuntimeError JOURNAL_FAILED once the journal failed,
   *   JOURNAL_RECORD_TOO_LARGE, BUS_MESSAGE_TOO_LARGE when the batch is too
   *   large even without its leading blobs.
   */
  append(records: readonly AppendRecord[]): number {
    assert(records.length > 0, 'a batch has a record');
    let from = 0;
    let bytes = totalBytes(records, 0);
    while (bytes > this.#ring.messageBytesMax && records[from]?.type === 'blob') {
      const to = this.#blobsThatFit(records, from);
      this.#send(records, { from, to });
      from = to;
      bytes = totalBytes(records, from);
    }
    if (from < records.length) this.#send(records, { from, to: records.length });
    // Positions of other producers may be included; waiting for them too is harmless.
    return this.#ring.producerPosition();
  }

  /** What any thread has appended by now is durable once `durablePosition()` is here. */
  appendedPosition(): number {
    return this.#ring.producerPosition();
  }

  /** Everything appended before this ring position is durable. */
  durablePosition(): number {
    return this.#progress.ringPosition();
  }

  /** Whether the journal stopped for good. */
  failed(): boolean {
    return this.#progress.failed();
  }

  /** End of the run of blobs from `from` that one message can hold (A2). */
  #blobsThatFit(records: readonly AppendRecord[], from: number): number {
    let bytes = 0;
    let to = from;
    for (; records[to]?.type === 'blob'; to += 1) {
      bytes += encodedBytes(records[to] as AppendRecord);
      if (bytes > this.#ring.messageBytesMax) break;
    }
    assert(to > from, 'a blob fits into a message');
    return to;
  }

  #send(records: readonly AppendRecord[], { from, to }: { from: number; to: number }): void {
    const batch = records.slice(from, to);
    const bytes = Buffer.allocUnsafe(totalBytes(batch, 0));
    let end = 0;
    for (const record of batch) end = encodeRecord(record, bytes, end);
    const index = this.#claim(end);
    bytes.copy(this.#ring.bytes, index, 0, end);
    this.#ring.commit(index);
    this.#counters.published(batchTopic, end);
    this.#ring.wake();
  }

  #claim(lengthBytes: number): number {
    for (let waitedMs = 0; waitedMs <= limits.journalStallMsMax; waitedMs += limits.idleWaitMsMax) {
      // Read before the claim, so that room made in between ends the wait at once.
      const generation = this.#progress.generation();
      if (this.#progress.failed()) throw journalFailed('The journal stopped after a failure');
      const index = this.#ring.tryClaim(batchMessage, lengthBytes);
      if (index >= 0) return index;
      this.#counters.refused(batchTopic);
      this.#ring.wake();
      this.#progress.wait(generation, limits.idleWaitMsMax);
    }
    throw journalFailed(`The journal made no room for ${limits.journalStallMsMax / 1000} s`);
  }
}

function totalBytes(records: readonly AppendRecord[], from: number): number {
  let bytes = 0;
  for (let index = from; index < records.length; index += 1) {
    bytes += encodedBytes(records[index] as AppendRecord);
  }
  return bytes;
}

function journalFailed(what: string): RuntimeError {
  return new RuntimeError('JOURNAL_FAILED', `${what}; the runtime has to be started again.`);
}
