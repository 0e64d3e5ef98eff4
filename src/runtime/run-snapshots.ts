/**
 * Snapshots of open runs, by count and by size, and their auditor, from the main
 * thread. The folding is done by a pool of one thread of its own, so that no
 * recovery waits for it.
 *
 * Invariants
 *   N1. A snapshot goes to the journal behind the events that it holds, so a crash
 *       that keeps it keeps them.
 *   N2. One task is under way, snapshots before audits; an audit waits for a quiet
 *       journal, but no longer than `limits.auditDelayMsMax`.
 *   N3. A snapshot that an audit finds wrong is told loudly, is not used from then
 *       on, and another is taken from a full replay in its place.
 *   N4. From the last snapshots on nothing else is begun: each open run that has
 *       grown gets one, so that the next start replays none of its events.
 */
import { type Clock, systemClock } from '../kernel/clock.ts';
import { RuntimeError, toErrorMessage } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { RunSnapshotBody } from './event-record.ts';
import type { IndexChange, RunEntry, RunIndex } from './run-index.ts';
import type { SnapshotAudit, SnapshotRequest, TakenSnapshot } from './snapshot-run.ts';
import type { SnapshotsView } from './views.ts';

export interface SnapshotTasks {
  run(type: 'snapshot-run', request: SnapshotRequest): Promise<TakenSnapshot>;
  run(
    type: 'audit-snapshot',
    request: Omit<SnapshotRequest, 'whole'>,
  ): Promise<SnapshotAudit | null>;
}

export interface RunSnapshotsParts {
  readonly dataDirectory: string;
  readonly program: Sha256;
  readonly index: Pick<RunIndex, 'get' | 'open'>;
  readonly pool: SnapshotTasks;
  /** Appends the snapshot, its texts first. */
  append(run: RunId, body: RunSnapshotBody): void;
  onNotice(text: string): void;
  readonly clock?: Clock;
  /** Events of a run between two snapshots. */
  readonly events?: number;
}

/** What was asked of a run last. */
interface Asked {
  readonly events: number;
  readonly bytes: number;
  /** Actors of it that lived then. */
  readonly actors: number;
}

const never: Asked = { events: 0, bytes: 0, actors: 0 };

export class RunSnapshots {
  readonly #parts: RunSnapshotsParts;
  readonly program: Sha256;
  readonly #clock: Clock;
  readonly #events: number;
  readonly #asked = new Map<RunId, Asked>();
  /** Runs that are due; true: from their first event, whatever snapshot they have. */
  readonly #due = new Map<RunId, boolean>();
  /** Runs whose last snapshot is to be audited, and since when. */
  readonly #audits = new Map<RunId, number>();
  #lastEventMs = 0;
  #wakeUp: () => void = () => undefined;
  #working: Promise<void> | null = null;
  #ending = false;
  #stopped = false;
  #taken = 0;
  #audited = 0;
  #mismatches = 0;
  #lastAudit: SnapshotAudit | null = null;

  constructor(parts: RunSnapshotsParts) {
    this.#parts = parts;
    this.program = parts.program;
    this.#clock = parts.clock ?? systemClock;
    this.#events = parts.events ?? limits.eventsPerRunSnapshot;
  }

  view(): SnapshotsView {
    return {
      taken: this.#taken,
      audited: this.#audited,
      mismatches: this.#mismatches,
      lastAudit: this.#lastAudit,
    };
  }

  changed(change: IndexChange): void {
    if (change.type === 'event') {
      this.#lastEventMs = this.#clock.monotonicMs();
      this.#consider(change.entry);
    } else if (change.type === 'run-snapshot') this.#shown(change.entry);
    else if (change.type === 'ended') this.#forget(change.entry.id);
  }

  /** The run goes on; its snapshot was not used for the reason, if there is one. */
  resumed(entry: RunEntry, refusal: string | null): void {
    if (refusal !== null) {
      entry.snapshot = null;
      const what = `The snapshot of the run ${entry.id} was not used, for ${refusal};`;
      this.#parts.onNotice(`${what} all its events were replayed.`);
    }
    this.#consider(entry);
  }

  /** Takes a snapshot of the run if enough happened since the last one. */
  #consider(entry: RunEntry): void {
    if (!this.#isDue(entry)) return;
    this.#due.set(entry.id, this.#due.get(entry.id) ?? false);
    this.#work();
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  /** (N4) Resolves when they are appended, or the snapshots were stopped meanwhile. */
  async takeLast(): Promise<void> {
    this.#end();
    await this.settled();
    for (const entry of this.#parts.index.open()) {
      if (this.#stopped) return;
      const { events, snapshot } = entry;
      if (events.length > (snapshot?.events ?? 0)) await this.#take(entry, false);
    }
  }

  /** Nothing is begun any more, and nothing appended. */
  stop(): void {
    this.#stopped = true;
    this.#end();
  }

  #end(): void {
    this.#ending = true;
    this.#wakeUp();
  }

  #isDue({ id, events, snapshot, ended, suspended }: RunEntry): boolean {
    if (ended !== null || suspended !== null) return false;
    const asked = this.#asked.get(id) ?? never;
    const last = Math.max(snapshot?.events ?? 0, asked.events);
    const since = events.length - last;
    const bytes = (events.at(-1)?.bytes ?? 0) - (events[last - 1]?.bytes ?? 0);
    // A run of many actors is written whole less often, so that each event pays for a few.
    const count = Math.max(this.#events, limits.eventsPerSnapshotActor * asked.actors);
    return since >= count || (since > 0 && bytes >= limits.bytesPerRunSnapshot);
  }

  #shown({ id }: RunEntry): void {
    this.#taken += 1;
    if (this.#taken % limits.snapshotsPerAudit !== 1) return;
    if (this.#audits.size >= limits.openRunsMax) return;
    this.#audits.set(id, this.#clock.monotonicMs());
    this.#work();
  }

  #forget(run: RunId): void {
    this.#asked.delete(run);
    this.#due.delete(run);
  }

  #work(): void {
    if (this.#due.size > 0) this.#wakeUp();
    if (this.#working !== null || this.#ending) return;
    this.#working = this.#workOnce().finally(() => {
      this.#working = null;
      if (this.#due.size > 0 || this.#audits.size > 0) this.#work();
    });
  }

  /** (N2) */
  async #workOnce(): Promise<void> {
    const [due] = this.#due;
    if (due !== undefined) {
      this.#due.delete(due[0]);
      const entry = this.#parts.index.get(due[0]);
      if (entry !== undefined) await this.#take(entry, due[1]);
      return;
    }
    const [audit] = this.#audits;
    if (audit === undefined) return;
    const [run, sinceMs] = audit;
    const nowMs = this.#clock.monotonicMs();
    const isQuiet = nowMs - this.#lastEventMs >= limits.auditQuietMs;
    if (!isQuiet && nowMs - sinceMs < limits.auditDelayMsMax) {
      await this.#sleep(limits.auditQuietMs);
      return;
    }
    this.#audits.delete(run);
    await this.#audit(run);
  }

  /** Ends early where there is a snapshot to take, or nothing more to do. */
  #sleep(timeMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeMs).unref();
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #take(entry: RunEntry, whole: boolean): Promise<void> {
    const { dataDirectory, program, pool } = this.#parts;
    const { id, events } = entry;
    const asked = { events: events.length, bytes: events.at(-1)?.bytes ?? 0 };
    const actors = this.#asked.get(id)?.actors ?? 0;
    this.#asked.set(id, { ...asked, actors });
    try {
      const taken = await pool.run('snapshot-run', { dataDirectory, run: id, program, whole });
      // Of a run that was erased meanwhile nothing is written any more.
      const isGone = this.#parts.index.get(id) !== entry;
      if (this.#stopped || isGone || entry.ended !== null) return;
      if (taken.divergence !== null) {
        const { sequence, difference } = taken.divergence;
        throw new RuntimeError(
          'REPLAY_DIVERGED',
          `its replay diverges at event ${sequence}: ${difference}`,
        );
      }
      if (taken.body === null) return;
      this.#asked.set(id, { ...asked, actors: taken.body.actors.length });
      this.#parts.append(id, taken.body); // (N1)
    } catch (error) {
      if (this.#stopped) return;
      this.#parts.onNotice(
        `No snapshot of the run ${id} was taken: ${toErrorMessage(error).message}`,
      );
    }
  }

  async #audit(run: RunId): Promise<void> {
    const { dataDirectory, program, pool } = this.#parts;
    try {
      const audit = await pool.run('audit-snapshot', { dataDirectory, run, program });
      if (audit === null || this.#stopped) return;
      this.#audited += 1;
      this.#lastAudit = audit;
      if (!audit.equal) this.#distrust(audit);
    } catch (error) {
      if (this.#stopped) return;
      this.#parts.onNotice(
        `The snapshot of the run ${run} was not audited: ${toErrorMessage(error).message}`,
      );
    }
  }

  /** (N3) */
  #distrust(audit: SnapshotAudit): void {
    this.#mismatches += 1;
    const { code, message } = snapshotMismatch(audit);
    this.#parts.onNotice(`${code}: ${message}`);
    const entry = this.#parts.index.get(audit.run);
    if (entry === undefined) return;
    entry.snapshot = null;
    if (entry.ended === null && entry.suspended === null) this.#due.set(entry.id, true);
  }
}

/** What an audit says of a snapshot that is wrong. */
function snapshotMismatch({ run, at, difference }: SnapshotAudit): RuntimeError {
  return new RuntimeError(
    'SNAPSHOT_MISMATCH',
    `The snapshot of the run ${run} at event ${at} is not what its events make (${difference}); it is not used, and a full replay takes its place. Report it.`,
    { details: { run, at } },
  );
}
