/** The snapshots of a running system: their thread, and their way into the journal. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalProducer } from '../journal/journal-producer.ts';
import type { RunKeys } from '../journal/run-keys.ts';
import { runStore } from '../journal/run-store.ts';
import { systemClock } from '../kernel/clock.ts';
import { toErrorMessage } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { runSnapshotRecords } from './event-record.ts';
import { CpuPool } from './pool/client.ts';
import { programDigest } from './program-digest.ts';
import type { RunIndex } from './run-index.ts';
import { RunSnapshots } from './run-snapshots.ts';

export interface SnapshotServiceParts {
  readonly dataDirectory: string;
  readonly follower: {
    readonly index: Pick<RunIndex, 'get' | 'open'>;
    readonly keys: Pick<RunKeys, 'find'>;
  };
  readonly threads: { readonly producer: JournalProducer };
  readonly onNotice: (text: string) => void;
  /** Events of a run between two snapshots of it. */
  readonly events?: number | undefined;
}

export class SnapshotService extends RunSnapshots {
  readonly #pool: CpuPool;
  readonly #producer: JournalProducer;
  readonly #onNotice: (text: string) => void;

  constructor({ dataDirectory, follower, threads, onNotice, events }: SnapshotServiceParts) {
    const pool = new CpuPool({ threads: 1, idleMs: limits.snapshotIdleMsMax });
    super({
      dataDirectory,
      index: follower.index,
      pool,
      program: programDigest(),
      append: (run, body) => {
        const store = runStore(dataDirectory, follower.keys.find(run));
        const recording = { timeMs: systemClock.nowMs(), store };
        threads.producer.append(runSnapshotRecords(run, body, recording));
      },
      onNotice,
      ...(events === undefined ? {} : { events }),
    });
    this.#pool = pool;
    this.#producer = threads.producer;
    this.#onNotice = onNotice;
  }

  /**
   * The last snapshots of a runtime whose other threads append nothing any more. Of what
   * a slow disk leaves no time for there are none: resolves within `timeMsMax`, whatever fails.
   * @param show Reads what is durable into the index.
   */
  async finish(timeMsMax: number, show: () => void): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeMsMax);
    const deadlineMs = systemClock.monotonicMs() + timeMsMax;
    const taken = this.#takeLastDurable(deadlineMs, show).catch((error: unknown) => {
      this.#onNotice(`No last snapshots were taken: ${toErrorMessage(error).message}`);
    });
    await Promise.race([taken, late]);
    clearTimeout(timer);
    this.stop();
  }

  async #takeLastDurable(deadlineMs: number, show: () => void): Promise<void> {
    const producer = this.#producer;
    while (producer.durablePosition() < producer.appendedPosition()) {
      if (producer.failed() || systemClock.monotonicMs() > deadlineMs) return;
      await sleep(limits.outboxRetryMs);
    }
    if (producer.failed()) return;
    show();
    await this.takeLast();
  }

  /** Ends the thread; what it is at ends first. */
  async close(): Promise<void> {
    this.stop();
    await this.#pool.close();
    await this.settled();
  }
}
