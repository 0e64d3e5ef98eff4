/**
 * Drops the beginning of a journal, with proof: by whoever owns the data
 * directory, beside its own writing.
 *
 * Invariants
 *   C1. Every run that goes is replayed in full first, and goes only when the
 *       replay is equal to the journal: state hashes, messages and end.
 *   C2. What is to be left is verified before anything is removed: it ends in the
 *       same seal, and its runs are what they were.
 *   C3. The record of what goes is durable before a segment is removed. A crash
 *       leaves the old journal or the new one; a start completes the removal.
 *   C4. Texts are looked for only once the writer leaves none out any more because
 *       a segment that may go has it.
 *   C5. Between the last look at what is in use and the record of what goes nothing
 *       else happens in the owner; files go only when nobody reads them any more.
 *   C6. What the audit has come to is journaled behind what goes.
 *   C7. The audit's leaves of what goes are durable before it goes: they stand for it.
 */
import { resolve } from 'node:path';
import { addCompaction, type CompactedRun, type Compaction } from '../journal/compaction.ts';
import { journalFolder } from '../journal/data-folders.ts';
import { nodeFilePort } from '../journal/file-port.ts';
import { writeFailure } from '../journal/write-failure.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { appendAuditEvents } from './audit-log.ts';
import type { CompactionLimit, HeldBack, PlannedCompaction } from './compaction-plan.ts';
import { JournalFollower } from './journal-follower.ts';
import { CpuPool } from './pool/client.ts';
import { replayRun } from './replay.ts';

export interface CompactionReport {
  /** Segments that went, with their bytes. */
  readonly segments: number;
  readonly bytes: number;
  /** Sequence of the last record that went, and the seal that what is left continues. */
  readonly lastSequence: number;
  readonly seal: string;
  /** Runs that went, each replayed and found equal. */
  readonly runs: readonly Pick<CompactedRun, 'id' | 'events' | 'stateHash' | 'resultHash'>[];
  /** Runs because of which more stays. */
  readonly held: readonly HeldBack[];
  /** Texts of what stays that lay in what goes, and are files now. */
  readonly textsKept: number;
  /** Files of texts that nobody names any more; where a server writes they stay for a later time. */
  readonly textsRemoved: number;
  /** Whether something was dropped; otherwise it only could be. */
  readonly done: boolean;
}

export interface CompactionOptions {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Proves and says what would go, and changes nothing. */
  readonly dryRun?: boolean;
  /** Absent where nobody writes meanwhile. */
  readonly owner?: CompactionOwner;
}

/** A process that goes on with its runs while the beginning of their journal is dropped. */
export interface CompactionOwner {
  /**
   * Why a run must stay that has ended, or null: somebody reads it or is about to fork it.
   * @param going Runs that go with it.
   */
  inUse(run: RunId, going: ReadonlySet<RunId>): string | null;
  /** Resolves when texts that are written from now on are not left out because a segment has them (C4). */
  forgetTexts(): Promise<void>;
  /** Journals what the audit has come to; resolves once it is durable (C6). */
  carryAudit(): Promise<void>;
  /** Resolves once the audit has a leaf of each record (C7). */
  countRecords(): Promise<void>;
  /** From now on these runs have no events; resolves when nobody reads their segments (C5). */
  dropped(runs: readonly CompactedRun[]): Promise<void>;
}

/**
 * Drops the segments at the beginning of which every run has ended before the limit.
 * The caller has locked the data directory.
 * @throws RuntimeError COMPACTION_UNPROVEN, COMPACTION_REFUSED, DATA_DIRECTORY_BUSY,
 *   JOURNAL_CORRUPT, DATA_VERSION_NEWER, DISK_FULL, JOURNAL_FAILED
 */
export async function compactJournal(
  dataDirectory: string,
  limit: CompactionLimit,
  { nowMs, dryRun = false, owner }: CompactionOptions,
): Promise<CompactionReport> {
  const data = resolve(dataDirectory);
  // Of its own, because a runtime needs its pool for runs that begin or go on.
  const pool = new CpuPool({ threads: 1 });
  try {
    const plan = await provenPlan(data, limit, pool, owner);
    const { last, runs } = plan;
    if (last === null) return reportOf(plan, null);
    if (!dryRun) await owner?.forgetTexts(); // (C4)
    if (!dryRun) await carryAudit(data, last.lastSequence, owner); // (C6)
    if (!dryRun) await countRecords(data, pool, nowMs, owner); // (C7)
    const { erased } = plan;
    const request = { dataDirectory: data, last, runs, erased, nowMs, dryRun };
    const { compaction, needed, textsKept } = await pool
      .run('prove-compaction', request)
      .catch((error: unknown) => {
        throw unlessErased(error);
      });
    const report = reportOf(plan, compaction);
    if (dryRun) return report;
    requireUnused(runs, owner);
    recordDropped(data, compaction); // (C3)
    await owner?.dropped(compaction.runs);
    const removable = owner === undefined ? needed : null;
    const removed = { dataDirectory: data, needed: removable };
    const textsRemoved = await pool.run('remove-dropped', removed);
    return { ...report, textsKept, textsRemoved, done: true };
  } finally {
    await pool.close();
  }
}

/** A plan of which every run replays equal (C1). */
async function provenPlan(
  data: string,
  limit: CompactionLimit,
  pool: CpuPool,
  owner: CompactionOwner | undefined,
): Promise<PlannedCompaction> {
  const proven = new Set<RunId>();
  const refusals = new Map<RunId, string>();
  for (;;) {
    const plan = await pool.run('plan-compaction', { dataDirectory: data, limit, refusals });
    const going = new Set(plan.runs);
    const follower = new JournalFollower(data);
    try {
      follower.advance();
      let refused = false;
      for (const run of plan.runs.filter((each) => !proven.has(each))) {
        const refusal = owner?.inUse(run, going) ?? (await refusalOf(data, follower, run, pool));
        if (refusal === null) proven.add(run);
        else refusals.set(run, refusal);
        refused ||= refusal !== null;
        if (refused) break;
      }
      if (!refused) return plan;
    } finally {
      follower.close();
    }
  }
}

async function refusalOf(
  data: string,
  follower: JournalFollower,
  run: RunId,
  pool: CpuPool,
): Promise<string | null> {
  try {
    const { equal, divergence } = await replayRun(data, follower.entry(run), pool);
    return equal ? null : `its replay differs at event ${divergence?.sequence}`;
  } catch (error) {
    if (error instanceof RuntimeError) return `it cannot be replayed: ${error.message}`;
    throw error;
  }
}

async function carryAudit(
  data: string,
  lastSequence: number,
  owner: CompactionOwner | undefined,
): Promise<void> {
  const follower = new JournalFollower(data);
  try {
    follower.advance();
    const { security } = follower;
    if (security.first === null || security.first > lastSequence) return;
    if (owner === undefined) appendAuditEvents(data, [security.stateEvent()]);
    else await owner.carryAudit();
  } finally {
    follower.close();
  }
}

/** Leaves stand for what is gone, so they come first. */
async function countRecords(
  dataDirectory: string,
  pool: CpuPool,
  nowMs: number,
  owner: CompactionOwner | undefined,
): Promise<void> {
  if (owner !== undefined) await owner.countRecords();
  else await pool.run('take-checkpoint', { dataDirectory, until: null, nowMs, frontier: null });
}

/** What was erased meanwhile goes, or stays, as an erased run at the next try. */
function unlessErased(error: unknown): unknown {
  if (!(error instanceof RuntimeError) || error.code !== 'RUN_ERASED') return error;
  const message = `Nothing was dropped, for a run was erased meanwhile; try again. ${error.message}`;
  return new RuntimeError('DATA_DIRECTORY_BUSY', message, { cause: error, retryable: true });
}

/** What was free when it was planned may be in use by now (C5). */
function requireUnused(runs: readonly RunId[], owner: CompactionOwner | undefined): void {
  const going = new Set(runs);
  for (const run of runs) {
    const why = owner?.inUse(run, going) ?? null;
    if (why === null) continue;
    throw new RuntimeError(
      'DATA_DIRECTORY_BUSY',
      `Nothing was dropped, for meanwhile the run ${run} is in use: ${why}; try again later.`,
      { retryable: true },
    );
  }
}

function recordDropped(data: string, compaction: Compaction): void {
  try {
    addCompaction(nodeFilePort, journalFolder(data), compaction);
  } catch (error) {
    throw writeFailure(error);
  }
}

function reportOf({ held }: PlannedCompaction, compaction: Compaction | null): CompactionReport {
  const { segments, lastSequence, seal, runs } = compaction ?? {
    segments: [],
    lastSequence: 0,
    seal: '0'.repeat(64),
    runs: [],
  };
  return {
    segments: segments.length,
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    lastSequence,
    seal,
    runs: runs.map(({ id, events, stateHash, resultHash }) => ({
      id,
      events,
      stateHash,
      resultHash,
    })),
    held,
    textsKept: 0,
    textsRemoved: 0,
    done: false,
  };
}
