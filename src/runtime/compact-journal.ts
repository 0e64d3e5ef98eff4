/**
 * Drops the beginning of a journal, with proof.
 *
 * Invariants
 *   C1. Every run that goes is replayed in full first, and goes only when the
 *       replay is equal to the journal: state hashes, messages and end.
 *   C2. What is to be left is verified before anything is removed: it ends in the
 *       same seal, and its runs are what they were.
 *   C3. The record of what goes is durable before a segment is removed. A crash
 *       leaves the old journal or the new one; a start completes the removal.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import {
  addCompaction,
  type CompactedRun,
  type Compaction,
  listSegments,
  removeDropped,
} from '../journal/compaction.ts';
import { blobsFolder, journalFolder, keysFolder } from '../journal/data-folders.ts';
import { nodeFilePort } from '../journal/file-port.ts';
import { keepNeededBlobs, removeUnneeded } from '../journal/needed-blobs.ts';
import { segmentPath } from '../journal/segment.ts';
import { verifyJournal } from '../journal/verification.ts';
import { writeFailure } from '../journal/write-failure.ts';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { compactedErasedRun, compactedRun } from './compacted-runs.ts';
import {
  type CompactionLimit,
  type CompactionPlan,
  type HeldBack,
  type JournalSurvey,
  planCompaction,
  surveyJournal,
} from './compaction-plan.ts';
import { JournalFollower } from './journal-follower.ts';
import { CpuPool } from './pool/client.ts';
import { replayRun } from './replay.ts';
import { countsOf, type RunEntry, stateHashOf } from './run-index.ts';

export interface CompactionReport {
  /** Segments that went, with their bytes. */
  readonly segments: number;
  readonly bytes: number;
  /** Sequence of the last record that went, and the seal that what is left continues. */
  readonly lastSequence: number;
  readonly seal: string;
  /** Runs that went, each replayed and found equal. */
  readonly runs: readonly Pick<
    Compaction['runs'][number],
    'id' | 'events' | 'stateHash' | 'resultHash'
  >[];
  /** Runs because of which more stays. */
  readonly held: readonly HeldBack[];
  /** Texts of what stays that lay in what goes, and are files now. */
  readonly textsKept: number;
  /** Files of texts that nobody names any more. */
  readonly textsRemoved: number;
  /** Whether something was dropped; otherwise it only could be. */
  readonly done: boolean;
}

export interface CompactionOptions {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Proves and says what would go, and changes nothing. */
  readonly dryRun?: boolean;
}

/**
 * Drops the segments at the beginning of which every run has ended before the limit.
 * The caller has locked the data directory.
 * @throws RuntimeError COMPACTION_UNPROVEN, COMPACTION_REFUSED, JOURNAL_CORRUPT,
 *   DATA_VERSION_NEWER, DISK_FULL, JOURNAL_FAILED
 */
export async function compactJournal(
  dataDirectory: string,
  limit: CompactionLimit,
  { nowMs, dryRun = false }: CompactionOptions,
): Promise<CompactionReport> {
  const data = resolve(dataDirectory);
  const survey = surveyJournal(data);
  const { plan, runs } = await provenPlan(data, survey, limit);
  const { through } = plan;
  const last = survey.segments.find(({ number }) => number === through);
  const compaction: Compaction = {
    atMs: nowMs,
    through,
    lastSequence: last?.lastSequence ?? 0,
    seal: last?.seal ?? '0'.repeat(64),
    segments: droppedSegments(data, through),
    runs,
  };
  const report = reportOf(plan, compaction);
  if (last === undefined || dryRun) return report;
  try {
    const { needed, stored } = keepNeededBlobs(data, through);
    proveRest(data, compaction);
    addCompaction(nodeFilePort, journalFolder(data), compaction); // (C3)
    removeDropped(nodeFilePort, journalFolder(data));
    const textsRemoved = removeUnneeded(data, needed);
    return { ...report, textsKept: stored, textsRemoved, done: true };
  } catch (error) {
    throw writeFailure(error);
  }
}

/** A plan of which every run replays equal (C1), and what is said of the runs that go. */
async function provenPlan(
  data: string,
  survey: JournalSurvey,
  limit: CompactionLimit,
): Promise<{ plan: CompactionPlan; runs: CompactedRun[] }> {
  const follower = new JournalFollower(data);
  const pool = new CpuPool();
  const proven = new Set<RunId>();
  const refusals = new Map<RunId, string>();
  try {
    follower.advance();
    for (;;) {
      const plan = planCompaction(survey, follower.index, limit, refusals);
      const entry = plan.runs.find(({ id }) => !proven.has(id));
      if (entry === undefined) return { plan, runs: goneRuns(follower, survey, plan) };
      const refusal = await refusalOf(data, entry, pool);
      if (refusal === null) proven.add(entry.id);
      else refusals.set(entry.id, refusal);
    }
  } finally {
    follower.close();
    await pool.close();
  }
}

/** Of an erased run nothing can be replayed, and nothing is lost with it. */
function goneRuns(
  { index, keys }: JournalFollower,
  survey: JournalSurvey,
  { through, runs }: CompactionPlan,
): CompactedRun[] {
  const erased = [...index.erased.values()].filter(({ id }) => {
    const first = survey.runs.get(id)?.firstSegment;
    return first !== undefined && first <= through;
  });
  return [...runs.map((entry) => compactedRun(entry, keys)), ...erased.map(compactedErasedRun)];
}

async function refusalOf(data: string, entry: RunEntry, pool: CpuPool): Promise<string | null> {
  try {
    const { equal, divergence } = await replayRun(data, entry, pool);
    return equal ? null : `its replay differs at event ${divergence?.sequence}`;
  } catch (error) {
    if (error instanceof RuntimeError) return `it cannot be replayed: ${error.message}`;
    throw error;
  }
}

function droppedSegments(data: string, through: number): Compaction['segments'] {
  const folder = journalFolder(data);
  return listSegments(nodeFilePort, folder)
    .filter((number) => number <= through)
    .map((number) => {
      const bytes = readFileSync(segmentPath(folder, number));
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      return { number, bytes: bytes.length, sha256 };
    });
}

/** Reads the journal as it is to be, from links to what stays (C2). */
function proveRest(data: string, compaction: Compaction): void {
  const shadow = mkdtempSync(join(data, '.claw-compact-'));
  try {
    const [from, to] = [journalFolder(data), journalFolder(shadow)];
    mkdirSync(to);
    for (const name of readdirSync(from)) {
      const isDropped = compaction.segments.some(
        ({ number }) => segmentPath(from, number) === join(from, name),
      );
      if (!isDropped && !name.endsWith('.tmp')) linkSync(join(from, name), join(to, name));
    }
    for (const folder of [blobsFolder, keysFolder]) {
      if (existsSync(folder(data))) symlinkSync(folder(data), folder(shadow), 'junction');
    }
    addCompaction(nodeFilePort, to, compaction);
    const [before, after] = [verifyJournal(data), verifyJournal(shadow)];
    const gone = new Set<string>(compaction.runs.map(({ id }) => id));
    const same =
      after.ok &&
      after.seal === before.seal &&
      after.lastSequence === before.lastSequence &&
      runsOf(shadow, gone) === runsOf(data, gone);
    if (!same) {
      throw new RuntimeError(
        'COMPACTION_UNPROVEN',
        'What would be left of the journal is not the same as before, so nothing was dropped; see claw journal verify.',
      );
    }
  } finally {
    rmSync(shadow, { recursive: true, force: true });
  }
}

/** Each run that stays with all its index knows, as text. */
function runsOf(data: string, gone: ReadonlySet<string>): string {
  const follower = new JournalFollower(data);
  try {
    follower.advance();
    const kept = follower.index.all().filter(({ id }) => !gone.has(id));
    return JSON.stringify(
      kept.map((entry) => [
        entry.id,
        entry.started,
        entry.events,
        [...entry.actors],
        entry.ended,
        entry.damaged,
        stateHashOf(entry),
        countsOf(entry),
      ]),
    );
  } finally {
    follower.close();
  }
}

function reportOf({ held }: CompactionPlan, compaction: Compaction): CompactionReport {
  const { segments, lastSequence, seal, runs } = compaction;
  assert(segments.length > 0 || runs.length === 0, 'runs go with segments');
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
