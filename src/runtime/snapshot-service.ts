/** The snapshots of a running system: their thread, and their way into the journal. */
import type { JournalProducer } from '../journal/journal-producer.ts';
import type { RunKeys } from '../journal/run-keys.ts';
import { runStore } from '../journal/run-store.ts';
import { systemClock } from '../kernel/clock.ts';
import { limits } from '../kernel/limits.ts';
import { runSnapshotRecords } from './event-record.ts';
import { CpuPool } from './pool/client.ts';
import { programDigest } from './program-digest.ts';
import type { RunIndex } from './run-index.ts';
import { RunSnapshots } from './run-snapshots.ts';

export interface SnapshotServiceParts {
  readonly dataDirectory: string;
  readonly follower: {
    readonly index: Pick<RunIndex, 'get'>;
    readonly keys: Pick<RunKeys, 'find'>;
  };
  readonly threads: { readonly producer: Pick<JournalProducer, 'append'> };
  readonly onNotice: (text: string) => void;
  /** Events of a run between two snapshots of it. */
  readonly events?: number | undefined;
}

export class SnapshotService extends RunSnapshots {
  readonly #pool: CpuPool;

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
  }

  /** Ends the thread; what it is at ends first. */
  async close(): Promise<void> {
    this.stop();
    await this.#pool.close();
    await this.settled();
  }
}
