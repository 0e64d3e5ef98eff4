/**
 * How much of the beginning of a journal can be dropped. Whole segments go, and
 * with them every run that has an event in them.
 *
 * Invariants
 *   P1. A run goes only when it has ended before the limit, all its events are
 *       there, and nothing that stays refers to it: no fork begins with its events.
 *       Where the keys of a run are lost, nothing goes.
 *   P2. The last segment stays, for the next group follows it.
 */
import { JournalReader } from '../journal/journal-reader.ts';
import type { StoredRecord } from '../journal/record.ts';
import type { RunId } from '../kernel/ids.ts';
import type { ErasedRun } from './erased-runs.ts';
import { JournalFollower } from './journal-follower.ts';
import type { RunEntry, RunIndex } from './run-index.ts';

/** Everything before it may go: a sequence of the log, or milliseconds since the epoch. */
export type CompactionLimit = { readonly sequence: number } | { readonly timeMs: number };

/** A run because of which more stays, and why. */
export interface HeldBack {
  readonly run: RunId;
  readonly why: string;
  /** The first segment that stays because of it. */
  readonly segment: number;
}

/** What a segment and its runs are, as a plan needs it. */
export interface JournalSurvey {
  readonly segments: readonly SurveyedSegment[];
  readonly runs: ReadonlyMap<RunId, SurveyedRun>;
}

export interface SurveyedSegment {
  readonly number: number;
  readonly lastSequence: number;
  /** Of its last group. */
  readonly seal: string;
  /** Latest time of a record, milliseconds since the epoch. */
  readonly timeMs: number;
}

interface SurveyedRun {
  readonly firstSegment: number;
  readonly end: { readonly sequence: number; readonly timeMs: number } | null;
}

export interface CompactionPlan {
  /** The last segment that can go; 0 when none can. */
  readonly through: number;
  readonly runs: readonly RunEntry[];
  readonly held: readonly HeldBack[];
}

/** A plan as it crosses threads, and what the journal says of the last segment that can go. */
export interface PlannedCompaction {
  readonly last: SurveyedSegment | null;
  readonly runs: readonly RunId[];
  /** Of an erased run nothing can be replayed, and nothing is lost with it. */
  readonly erased: readonly ErasedRun[];
  readonly held: readonly HeldBack[];
}

/**
 * Plans over the whole journal, read beside whoever writes it.
 * @throws RuntimeError JOURNAL_CORRUPT, DATA_VERSION_NEWER
 */
export function plannedCompaction(
  dataDirectory: string,
  limit: CompactionLimit,
  refusals: ReadonlyMap<RunId, string>,
): PlannedCompaction {
  const survey = surveyJournal(dataDirectory);
  const follower = new JournalFollower(dataDirectory);
  try {
    follower.advance();
    const { through, runs, held } = planCompaction(survey, follower.index, limit, refusals);
    const last = survey.segments.find(({ number }) => number === through) ?? null;
    const erased = [...follower.index.erased.values()].filter(
      (run) => firstSegment(survey, run) <= through,
    );
    return { last, runs: runs.map(({ id }) => id), erased, held };
  } finally {
    follower.close();
  }
}

/** @throws RuntimeError JOURNAL_CORRUPT */
export function surveyJournal(dataDirectory: string): JournalSurvey {
  const segments = new Map<number, SurveyedSegment>();
  const runs = new Map<RunId, SurveyedRun>();
  const reader = JournalReader.open(dataDirectory, { verifyDigests: true });
  try {
    for (const group of reader.groups()) {
      for (const record of group) {
        const { segment: number } = record.position;
        const timeMs = Math.max(record.timeMs, segments.get(number)?.timeMs ?? 0);
        const seal = record.digest.toString('hex');
        segments.set(number, { number, lastSequence: record.sequence, seal, timeMs });
        if (record.run !== null) runs.set(record.run, surveyed(record, runs.get(record.run)));
      }
    }
  } finally {
    reader.close();
  }
  return { segments: [...segments.values()], runs };
}

function surveyed(record: StoredRecord, before: SurveyedRun | undefined): SurveyedRun {
  const { sequence, timeMs } = record;
  return {
    firstSegment: before?.firstSegment ?? record.position.segment,
    end: before?.end ?? (record.type === 'run-ended' ? { sequence, timeMs } : null),
  };
}

/** @param refusals Runs that may not go, and why. */
export function planCompaction(
  survey: JournalSurvey,
  index: RunIndex,
  limit: CompactionLimit,
  refusals: ReadonlyMap<RunId, string>,
): CompactionPlan {
  const allowed = survey.segments
    .slice(0, -1) // (P2)
    .findLast(({ lastSequence: sequence, timeMs }) => isBefore({ sequence, timeMs }, limit));
  const held = new Map<RunId, HeldBack>();
  const unknown = [...index.erased.values()].find(
    ({ id, erasedAt }) => erasedAt === null && survey.runs.has(id),
  );
  let through = allowed?.number ?? 0;
  if (unknown !== undefined && through > 0) {
    // It may be a fork of any run before it.
    const why = 'its keys are missing, so nobody can say with whose events it begins';
    held.set(unknown.id, { run: unknown.id, why, segment: survey.segments[0]?.number ?? 1 });
    through = 0;
  }
  for (let settled = false; !settled; ) {
    settled = true;
    for (const entry of goneWith(survey, index, through)) {
      const segment = firstSegment(survey, entry);
      const why = refusals.get(entry.id) ?? reasonToStay(entry, { survey, index, limit, through });
      if (why === null || segment > through) continue;
      held.set(entry.id, { run: entry.id, why, segment });
      through = segment - 1;
      settled = false;
    }
  }
  return { through, runs: goneWith(survey, index, through), held: [...held.values()] };
}

function isBefore(
  { sequence, timeMs }: { readonly sequence: number; readonly timeMs: number },
  limit: CompactionLimit,
): boolean {
  return 'sequence' in limit ? sequence < limit.sequence : timeMs < limit.timeMs;
}

function firstSegment(survey: JournalSurvey, { id }: Pick<RunEntry, 'id'>): number {
  return survey.runs.get(id)?.firstSegment ?? Number.POSITIVE_INFINITY;
}

function goneWith(survey: JournalSurvey, index: RunIndex, through: number): RunEntry[] {
  return index.all().filter((entry) => firstSegment(survey, entry) <= through);
}

/** Why a run that reaches into the first segments may not go with them, or null (P1). */
function reasonToStay(
  entry: RunEntry,
  {
    survey,
    index,
    limit,
    through,
  }: { survey: JournalSurvey; index: RunIndex; limit: CompactionLimit; through: number },
): string | null {
  const end = survey.runs.get(entry.id)?.end ?? null;
  if (entry.damaged) return 'events of it are lost';
  if (end === null) return 'it has not ended';
  if (!isBefore(end, limit)) return 'it ended only after the limit';
  const fork = index
    .all()
    .find(
      (other) => other.started.parent?.run === entry.id && firstSegment(survey, other) > through,
    );
  return fork === undefined ? null : `its fork ${fork.id} begins with its events`;
}
