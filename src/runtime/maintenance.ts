/**
 * A backup of the data directory and a compaction of its journal by the process that
 * owns it, while its runs go on. One at a time: a backup must not meet segments that go.
 *
 * Invariants
 *   M1. A run that is being forked or followed does not go, nor one whose fork stays.
 *   M2. Files of what was dropped are removed only when every fork and every recovery
 *       that had begun before has ended, for it may read them.
 *   M3. The data directory is given up only behind `stop`, which waits for what is under way.
 */
import type { BackupReport } from '../journal/backup.ts';
import type { CompactedRun } from '../journal/compaction.ts';
import { systemClock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { type CompactionOwner, type CompactionReport, compactJournal } from './compact-journal.ts';
import type { EventFeed } from './event-feed.ts';
import type { ForksUnderWay } from './forks-under-way.ts';
import { CpuPool } from './pool/client.ts';
import type { RunIndex } from './run-index.ts';
import type { CompactionRequest } from './views.ts';

export interface MaintenanceParts {
  readonly dataDirectory: string;
  readonly index: RunIndex;
  readonly feed: Pick<EventFeed, 'isRead'>;
  readonly forks: ForksUnderWay;
  /** As `CompactionOwner` says. */
  forgetTexts(): Promise<void>;
  /** As `CompactionOwner` says. */
  carryAudit(): Promise<void>;
  /** As `CompactionOwner` says. */
  countRecords(): Promise<void>;
  /** Resolves when no host is being recovered. */
  recovered(): Promise<void>;
}

export class Maintenance implements CompactionOwner {
  readonly #parts: MaintenanceParts;
  #running: Promise<unknown> | null = null;
  #stopped = false;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
  }

  /** @throws RuntimeError DATA_DIRECTORY_BUSY, and as `backUp` */
  backUp(folder: string): Promise<BackupReport> {
    return this.#alone(async () => {
      const { dataDirectory } = this.#parts;
      const pool = new CpuPool({ threads: 1 });
      try {
        return await pool.run('back-up', { dataDirectory, folder, nowMs: systemClock.nowMs() });
      } finally {
        await pool.close();
      }
    });
  }

  /** @throws RuntimeError DATA_DIRECTORY_BUSY, and as `compactJournal` */
  compact({ before, dryRun }: CompactionRequest): Promise<CompactionReport> {
    const options = { nowMs: systemClock.nowMs(), dryRun: dryRun ?? false, owner: this };
    return this.#alone(() => compactJournal(this.#parts.dataDirectory, before, options));
  }

  inUse(run: RunId, going: ReadonlySet<RunId>): string | null {
    if (this.#stopped) return 'the runtime is stopping';
    if ((this.#parts.index.get(run)?.ended ?? null) === null) return 'its end is not shown yet';
    if (this.#parts.forks.has(run)) return 'it is being forked';
    if (this.#parts.feed.isRead(run)) return 'its events are being followed';
    const fork = this.#parts.index
      .all()
      .find(({ id, started }) => started.parent?.run === run && !going.has(id));
    return fork === undefined ? null : `its fork ${fork.id} begins with its events`;
  }

  forgetTexts(): Promise<void> {
    return this.#parts.forgetTexts();
  }

  carryAudit(): Promise<void> {
    return this.#parts.carryAudit();
  }

  countRecords(): Promise<void> {
    return this.#parts.countRecords();
  }

  async dropped(runs: readonly CompactedRun[]): Promise<void> {
    this.#parts.index.compact(runs);
    const { forks, recovered } = this.#parts;
    await Promise.allSettled([forks.settled(), recovered()]); // (M2)
  }

  /** Nothing begins any more; resolves when nothing is under way (M3). */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running?.catch(() => undefined);
  }

  async #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running !== null || this.#stopped) {
      throw new RuntimeError(
        'DATA_DIRECTORY_BUSY',
        'A backup or a compaction of the data directory is under way; try again when it is over.',
        { retryable: true },
      );
    }
    const running = work();
    this.#running = running;
    try {
      return await running;
    } finally {
      this.#running = null;
    }
  }
}
