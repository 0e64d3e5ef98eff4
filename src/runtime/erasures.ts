/**
 * Erasures beside a running system.
 *
 * Invariants
 *   Q1. A run is not erased while a fork of it begins, nor forked while it is erased.
 */
import { removeRun } from '../journal/remove-run.ts';
import { systemClock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { type ErasureReport, erasureRecords, runsToErase } from './erase-run.ts';
import type { LifecycleParts } from './run-lifecycle.ts';

type ErasureParts = Pick<
  LifecycleParts,
  'dataDirectory' | 'threads' | 'durable' | 'follower' | 'forks'
>;

export class Erasures {
  readonly #parts: ErasureParts;
  readonly #erasing = new Set<RunId>();

  constructor(parts: ErasureParts) {
    this.#parts = parts;
  }

  /**
   * Erases an ended run; resolves once nobody can read it.
   * @param forks Also those that begin with its events.
   * @throws RuntimeError as `runsToErase`, DISK_FULL, JOURNAL_FAILED
   */
  async erase(id: string, forks: boolean): Promise<ErasureReport> {
    const { dataDirectory, threads, durable, follower, forks: begun } = this.#parts;
    const runs = runsToErase(follower, id, forks);
    const busy = runs.find((run) => begun.has(run) || this.#erasing.has(run));
    if (busy !== undefined) {
      const message = `The run ${busy} is being forked or erased; try again.`;
      throw new RuntimeError('RUN_HAS_FORKS', message, { retryable: true });
    }
    for (const run of runs) this.#erasing.add(run);
    try {
      const records = erasureRecords(runs, systemClock.nowMs());
      await durable.whenDurable(threads.producer.append(records));
      for (const run of runs) removeRun(dataDirectory, follower.keys, run);
      return { erased: runs };
    } finally {
      for (const run of runs) this.#erasing.delete(run);
    }
  }

  /** For whoever forks the run. @throws RuntimeError RUN_ERASED (Q1) */
  requireKept(run: RunId): void {
    if (!this.#erasing.has(run)) return;
    throw new RuntimeError('RUN_ERASED', `The run ${run} is being erased.`);
  }
}
