/**
 * What makes a planned compaction safe to carry out: the texts that stay are kept,
 * and what is to be left is read as any start would read it. And what it leads to,
 * once it is recorded.
 *
 * Invariants
 *   P1. What is left ends where the journal ended when it was looked at, in the
 *       same seal, with the same runs. A writer may have added groups since.
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
import { join } from 'node:path';
import {
  addCompaction,
  type Compaction,
  listSegments,
  removeDropped,
} from '../journal/compaction.ts';
import { blobsFolder, journalFolder, keysFolder } from '../journal/data-folders.ts';
import { nodeFilePort } from '../journal/file-port.ts';
import { keepNeededBlobs, removeUnneeded } from '../journal/needed-blobs.ts';
import type { JournalPosition } from '../journal/record.ts';
import { segmentPath } from '../journal/segment.ts';
import { verifyJournal } from '../journal/verification.ts';
import { writeFailure } from '../journal/write-failure.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { compactedErasedRun, compactedRun } from './compacted-runs.ts';
import type { SurveyedSegment } from './compaction-plan.ts';
import type { ErasedRun } from './erased-runs.ts';
import { JournalFollower } from './journal-follower.ts';
import { countsOf, stateHashOf } from './run-index.ts';

export interface ProofRequest {
  readonly dataDirectory: string;
  /** The last segment that is to go. */
  readonly last: SurveyedSegment;
  /** Runs that go, each replayed and found equal. */
  readonly runs: readonly RunId[];
  /** Runs that go and were erased before. */
  readonly erased: readonly ErasedRun[];
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Writes nothing, and so proves nothing of what is left. */
  readonly dryRun: boolean;
}

export interface CompactionProof {
  readonly compaction: Compaction;
  /** Every text that something behind `last` names. */
  readonly needed: ReadonlySet<Sha256>;
  /** How many of them are files from now on. */
  readonly textsKept: number;
}

/** @throws RuntimeError COMPACTION_UNPROVEN, RUN_ERASED, JOURNAL_CORRUPT, DISK_FULL, JOURNAL_FAILED */
export function proveCompaction(request: ProofRequest): CompactionProof {
  const { dataDirectory, last, runs, erased, nowMs, dryRun } = request;
  const compaction: Compaction = {
    atMs: nowMs,
    through: last.number,
    lastSequence: last.lastSequence,
    seal: last.seal,
    segments: droppedSegments(dataDirectory, last.number),
    runs: [...compactedRuns(dataDirectory, runs), ...erased.map(compactedErasedRun)],
  };
  if (dryRun) return { compaction, needed: new Set(), textsKept: 0 };
  try {
    const { needed, stored } = keepNeededBlobs(dataDirectory, last.number);
    proveRest(dataDirectory, compaction);
    return { compaction, needed, textsKept: stored };
  } catch (error) {
    throw writeFailure(error);
  }
}

/**
 * Removes the segments that are recorded as dropped and, unless null, the files of texts that are not needed.
 * @returns how many texts went.
 * @throws RuntimeError JOURNAL_FAILED
 */
export function removeDroppedFiles(
  dataDirectory: string,
  needed: ReadonlySet<Sha256> | null,
): number {
  try {
    removeDropped(nodeFilePort, journalFolder(dataDirectory));
    return needed === null ? 0 : removeUnneeded(dataDirectory, needed);
  } catch (error) {
    throw writeFailure(error);
  }
}

function compactedRuns(dataDirectory: string, runs: readonly RunId[]): Compaction['runs'] {
  const follower = new JournalFollower(dataDirectory);
  try {
    follower.advance();
    return runs.map((run) => compactedRun(follower.entry(run), follower.keys));
  } finally {
    follower.close();
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

/** Reads the journal as it is to be, from links to what stays (P1). */
function proveRest(data: string, compaction: Compaction): void {
  const gone = new Set<string>(compaction.runs.map(({ id }) => id));
  const before = contentOf(data, gone);
  const { segment } = before.position;
  // What proves the end of a run that goes must not be lost behind it, however relaxed the writer is.
  if (segment > 0) syncSegment(segmentPath(journalFolder(data), segment));
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
    const after = contentOf(shadow, gone, before.position);
    if (after.text === before.text && verifyJournal(shadow).ok) return;
    requireUnerased(data, before.runs);
    throw new RuntimeError(
      'COMPACTION_UNPROVEN',
      'What would be left of the journal is not the same as before, so nothing was dropped; see claw journal verify.',
    );
  } finally {
    rmSync(shadow, { recursive: true, force: true });
  }
}

/**
 * Of a run that stays nothing can be read once it is erased.
 * @throws RuntimeError RUN_ERASED
 */
function requireUnerased(data: string, runs: readonly RunId[]): void {
  const follower = new JournalFollower(data);
  try {
    follower.advance();
    for (const run of runs) if (follower.index.erased.has(run)) follower.entry(run);
  } finally {
    follower.close();
  }
}

/** The end of a journal, and each run that stays with all its index knows, as text. */
function contentOf(
  data: string,
  gone: ReadonlySet<string>,
  until?: JournalPosition,
): { position: JournalPosition; runs: readonly RunId[]; text: string } {
  const follower = new JournalFollower(data);
  try {
    follower.advance(until);
    const kept = follower.index.all().filter(({ id }) => !gone.has(id));
    const runs = kept.map((entry) => [
      entry.id,
      entry.started,
      entry.events,
      [...entry.actors],
      entry.ended,
      entry.damaged,
      stateHashOf(entry),
      countsOf(entry),
    ]);
    const text = JSON.stringify([follower.end, runs]);
    return { position: follower.position, runs: kept.map(({ id }) => id), text };
  } finally {
    follower.close();
  }
}

function syncSegment(path: string): void {
  const file = nodeFilePort.open(path, 'r+');
  try {
    nodeFilePort.fdatasync(file);
  } finally {
    nodeFilePort.close(file);
  }
}
