/**
 * Starts the journal worker and stands for it in the main thread.
 *
 * The worker publishes its notices; the main thread passes those that it hears
 * to `deliver`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { BusSeat } from '../../bus/endpoint.ts';
import { ManyToOneRingBuffer } from '../../bus/many-to-one-ring-buffer.ts';
import { allocateJournalMemory, type JournalMemory } from '../../journal/journal-producer.ts';
import { JournalProgress } from '../../journal/journal-progress.ts';
import type { JournalMode } from '../../journal/journal-writer.ts';
import type { RecoveryReport } from '../../journal/recovery.ts';
import { assertNever } from '../../kernel/assert.ts';
import { fromErrorMessage, RuntimeError } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { siblingModule } from '../../kernel/module-url.ts';
import type { DurableNotice, JournalWorkerData, JournalWorkerMessage } from './protocol.ts';

export interface JournalWorkerOptions {
  /** The locked data directory. */
  readonly dataDirectory: string;
  /** The worker's place on the bus, a thread that waits by `atomics`. */
  readonly seat: BusSeat;
  /** Shared memory made before; allocated here when absent. */
  readonly memory?: JournalMemory;
  readonly segmentBytes?: number;
  /** `durable` unless given. */
  readonly mode?: JournalMode;
}

export class JournalWorkerClient {
  readonly memory: JournalMemory;
  readonly #worker: Worker;
  readonly #ring: ManyToOneRingBuffer;
  readonly #progress: JournalProgress;
  readonly #ended: Promise<void>;
  readonly #started = Promise.withResolvers<RecoveryReport>();
  #failure: RuntimeError | null = null;
  #closed = false;
  #recovered: RecoveryReport | null = null;
  readonly #durableListeners = new Set<(notice: DurableNotice) => void>();
  readonly #failureListeners = new Set<(error: RuntimeError) => void>();
  readonly #refusalListeners = new Set<(error: RuntimeError) => void>();

  constructor(options: JournalWorkerOptions) {
    this.memory = options.memory ?? allocateJournalMemory();
    this.#ring = new ManyToOneRingBuffer(this.memory.ring);
    this.#progress = new JournalProgress(this.memory.progress);
    const data: JournalWorkerData = {
      dataDirectory: options.dataDirectory,
      memory: this.memory,
      endpoint: options.seat.spec,
      segmentBytes: options.segmentBytes ?? limits.segmentBytes,
      mode: options.mode ?? 'durable',
    };
    this.#worker = new Worker(siblingModule(import.meta.url, 'entry'), {
      name: 'journal',
      workerData: data,
      transferList: options.seat.transferList,
    });
    this.#worker.on('message', (message: JournalWorkerMessage) => this.#receive(message));
    this.#worker.on('error', (error) => this.#fail(unexpectedEnd(error)));
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        if (!this.#closed) this.#fail(unexpectedEnd(undefined));
        resolve();
      });
    });
  }

  /** Resolves when the journal is recovered and takes batches. */
  started(): Promise<RecoveryReport> {
    return this.#started.promise;
  }

  /** What recovery found; the worker has started. */
  get recovered(): RecoveryReport | null {
    return this.#recovered;
  }

  /** Hands in a notice that the worker published. */
  deliver(notice: DurableNotice): void {
    for (const listener of this.#durableListeners) listener(notice);
  }

  /** Calls the listener for each notice until the returned function is called. */
  onDurable(listener: (notice: DurableNotice) => void): () => void {
    return subscribe(this.#durableListeners, listener);
  }

  /** Calls the listener once when the journal stopped for good; at once if it did already. */
  onFailure(listener: (error: RuntimeError) => void): () => void {
    if (this.#failure !== null) listener(this.#failure);
    return subscribe(this.#failureListeners, listener);
  }

  /** Calls the listener for each batch that was refused (JOURNAL_REFUSED) and not written. */
  onRefused(listener: (error: RuntimeError) => void): () => void {
    return subscribe(this.#refusalListeners, listener);
  }

  /** The thread of a producer slot has ended: what it left unfinished in the ring is skipped. */
  producerEnded(producer: number): void {
    this.#ring.producerEnded(producer);
  }

  /**
   * Resolves once every text that is appended from now on is written, though a segment had it before.
   * @throws RuntimeError JOURNAL_FAILED when the journal has stopped
   */
  async forgetTexts(): Promise<void> {
    this.#progress.requestForget();
    this.#ring.wake();
    while (this.#progress.forgetRequested()) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#closed) throw new RuntimeError('JOURNAL_FAILED', 'The journal is closed.');
      await sleep(limits.outboxRetryMs);
    }
  }

  /** Writes everything that was appended before, marks the end, and ends the thread. */
  async close(): Promise<void> {
    this.#progress.requestStop();
    this.#ring.wake();
    await this.#ended;
  }

  #receive(message: JournalWorkerMessage): void {
    switch (message.type) {
      case 'started':
        this.#recovered = message.recovered;
        this.#started.resolve(message.recovered);
        return;
      case 'refused':
        for (const listener of this.#refusalListeners) listener(fromErrorMessage(message.error));
        return;
      case 'failed':
        this.#fail(fromErrorMessage(message.error));
        return;
      case 'closed':
        this.#closed = true;
        return;
      default:
        assertNever(message, 'message of the journal worker');
    }
  }

  #fail(error: RuntimeError): void {
    this.#progress.fail();
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#started.reject(error);
    for (const listener of this.#failureListeners) listener(error);
  }
}

/**
 * Starts the worker and waits until the journal is recovered.
 * @throws RuntimeError JOURNAL_CORRUPT, DATA_VERSION_NEWER, DISK_FULL, JOURNAL_FAILED.
 */
export async function startJournalWorker(
  options: JournalWorkerOptions,
): Promise<JournalWorkerClient> {
  const client = new JournalWorkerClient(options);
  await client.started();
  return client;
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function unexpectedEnd(cause: unknown): RuntimeError {
  return new RuntimeError(
    'JOURNAL_FAILED',
    'The journal thread ended unexpectedly, so the runtime stops; start it again.',
    { cause },
  );
}
