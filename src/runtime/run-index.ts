/**
 * The runs as a fold of the journal: what `claw runs`, the API and recovery
 * know. It keeps positions and counts, and of the bodies only how a run began and
 * ended.
 *
 * Invariants
 *   I1. Records are applied once, in the order of the journal.
 *   I2. `stateHash` after an event is the chain of the actor hashes up to it.
 *   I3. A run whose events have a gap is suspended: what is missing was skipped
 *       with a damaged part of the journal.
 *   I4. A fork has the first events of its parent, by their positions, and then
 *       its own.
 *   I5. Of an erased run only counts and times are kept, whether its keys went before
 *       or after it was read.
 */
import type { CompactedRun } from '../journal/compaction.ts';
import type { JournalPosition, ReadableRecord } from '../journal/record.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { chainHash, type Sha256, sha256 } from '../kernel/hash.ts';
import {
  type ActorId,
  type IntentionKey,
  intentionKey,
  parseIntentionKey,
  type RunId,
} from '../kernel/ids.ts';
import { clearanceView } from './clearance-view.ts';
import { type ErasedRun, erasedBefore, lostRun } from './erased-runs.ts';
import {
  type BlobLookup,
  type EventBody,
  type RunEndedBody,
  type RunSnapshotClaim,
  type RunStartedBody,
  rawBodyOf,
  runEndedOf,
  runSnapshotClaim,
  runStartedOf,
} from './event-record.ts';
import { countEvent, noCounts, type RunCounts } from './run-counts.ts';
import type { PauseView, RunStatus, RunView } from './views.ts';

/** Where an event lies, and what is known of the run after it. */
export interface IndexedEvent {
  readonly position: JournalPosition;
  readonly stateHash: string;
  readonly counts: RunCounts;
  /** Bytes of the bodies of the run's events up to it. */
  readonly bytes: number;
}

/** Where a snapshot of a run lies, and what it says of itself. */
export interface RunSnapshotPlace extends RunSnapshotClaim {
  readonly position: JournalPosition;
}

interface ActorEntry {
  /** Positions in the run's list of events, from 0. */
  readonly events: number[];
  snapshot: { readonly position: JournalPosition; readonly sequence: number } | null;
}

export interface RunEntry {
  readonly id: RunId;
  readonly started: RunStartedBody;
  readonly createdAt: number;
  readonly events: IndexedEvent[];
  readonly actors: Map<ActorId, ActorEntry>;
  /** The last snapshot of the run itself; one of its parent's is none of it. */
  snapshot: RunSnapshotPlace | null;
  ended: { readonly body: RunEndedBody; readonly at: number } | null;
  /** Whether events are missing (I3). */
  damaged: boolean;
  /** Why an open run does not go on. */
  suspended: { readonly code: string; readonly message: string } | null;
}

/** State hash of a run before its first event. */
export const emptyStateHash = sha256('');

function markDamaged(entry: RunEntry): void {
  entry.damaged = true;
  const { code, message } = runDamaged(entry);
  entry.suspended ??= { code, message };
}

/** Why a run with a gap (I3) is neither replayed nor continued. */
export function runDamaged({ id }: Pick<RunEntry, 'id'>): RuntimeError {
  return new RuntimeError(
    'RUN_DAMAGED',
    `Events of the run ${id} were lost with a damaged part of the journal; it can be looked at, and neither replayed nor continued.`,
  );
}

/** What applying a record changed. */
export type IndexChange =
  | { readonly type: 'event'; readonly entry: RunEntry; readonly sequence: number }
  | { readonly type: 'started' | 'ended' | 'run-snapshot'; readonly entry: RunEntry }
  | { readonly type: 'snapshot'; readonly entry: RunEntry; readonly actor: ActorId }
  | { readonly type: 'none' };

export class RunIndex {
  readonly #runs = new Map<RunId, RunEntry>();
  readonly #erased = new Map<RunId, ErasedRun>();
  readonly #compacted = new Map<RunId, CompactedRun>();
  readonly #blobsOf: (run: RunId) => BlobLookup;

  constructor(blobsOf: (run: RunId) => BlobLookup, compacted: readonly CompactedRun[] = []) {
    this.#blobsOf = blobsOf;
    this.compact(compacted);
  }

  apply(record: ReadableRecord): IndexChange {
    if (record.run === null) return { type: 'none' };
    if (record.unreadable === true || this.#erased.has(record.run)) {
      return this.#count(record, record.run);
    }
    if (record.type === 'run-erased') return this.#erase(record, record.run);
    if (record.type === 'run-started') return this.#start(record, record.run);
    const entry = this.#runs.get(record.run);
    if (entry === undefined) return { type: 'none' };
    switch (record.type) {
      case 'event':
        this.#event(entry, record);
        return { type: 'event', entry, sequence: entry.events.length };
      case 'snapshot':
        return this.#snapshot(entry, record);
      case 'run-ended':
        entry.ended ??= { body: runEndedOf(record, this.#blobsOf(record.run)), at: record.timeMs };
        return { type: 'ended', entry };
      default:
        return { type: 'none' };
    }
  }

  /** Runs that were dropped with the beginning of the journal, oldest first. */
  get compacted(): ReadonlyMap<RunId, CompactedRun> {
    return this.#compacted;
  }

  /** The segments of these runs are dropped from here on: only what they had come to is known. */
  compact(runs: readonly CompactedRun[]): void {
    for (const run of runs) {
      this.#runs.delete(run.id);
      this.#compacted.set(run.id, run);
      const erased = erasedBefore(run);
      if (erased !== null) this.#erased.set(run.id, erased);
    }
  }

  get(id: RunId): RunEntry | undefined {
    return this.#runs.get(id);
  }

  /** Runs whose bodies cannot be read any more (I5), oldest first. */
  get erased(): ReadonlyMap<RunId, ErasedRun> {
    return this.#erased;
  }

  /** Oldest first. */
  all(): readonly RunEntry[] {
    return [...this.#runs.values()];
  }

  /** Neither ended nor suspended. */
  open(): readonly RunEntry[] {
    return this.all().filter((entry) => entry.ended === null && entry.suspended === null);
  }

  #start(record: ReadableRecord, run: RunId): IndexChange {
    const started = runStartedOf(record, this.#blobsOf(run));
    const entry: RunEntry = {
      id: run,
      started,
      createdAt: record.timeMs,
      ...this.#shared(started),
      snapshot: null,
      ended: null,
      damaged: false,
      suspended: null,
    };
    this.#runs.set(run, entry);
    if (entry.events.length < (started.parent?.at ?? 0)) markDamaged(entry); // (I3)
    return { type: 'started', entry };
  }

  /** Takes out all that the run's bodies said (I5). */
  #erase({ timeMs }: ReadableRecord, run: RunId): IndexChange {
    const entry = this.#runs.get(run);
    this.#runs.delete(run);
    this.#erased.set(run, {
      id: run,
      createdAt: entry?.createdAt ?? lostRun(run).createdAt,
      endedAt: entry?.ended?.at ?? null,
      events: entry?.events.length ?? this.compacted.get(run)?.events ?? 0,
      erasedAt: timeMs,
    });
    return { type: 'none' };
  }

  /** A record that cannot be read; the one that says why may follow (I5). */
  #count({ type, timeMs }: ReadableRecord, run: RunId): IndexChange {
    const known = this.#erased.get(run);
    const before = known ?? { ...lostRun(run), createdAt: timeMs };
    this.#runs.delete(run);
    this.#erased.set(run, {
      ...before,
      // What is left of a dropped run was counted before.
      events: before.events + (type === 'event' && !this.compacted.has(run) ? 1 : 0),
      endedAt: type === 'run-ended' ? timeMs : before.endedAt,
      erasedAt: type === 'run-erased' ? timeMs : before.erasedAt,
    });
    return { type: 'none' };
  }

  /** What a fork has in common with its parent (I4). */
  #shared({ parent }: RunStartedBody): Pick<RunEntry, 'events' | 'actors'> {
    const from = parent === undefined ? undefined : this.#runs.get(parent.run);
    if (from === undefined || parent === undefined) return { events: [], actors: new Map() };
    const actors = new Map<ActorId, ActorEntry>();
    for (const [id, { events, snapshot }] of from.actors) {
      const shared = events.filter((index) => index < parent.at);
      const isShared = snapshot !== null && snapshot.sequence <= shared.length;
      if (shared.length > 0)
        actors.set(id, { events: shared, snapshot: isShared ? snapshot : null });
    }
    return { events: from.events.slice(0, parent.at), actors };
  }

  #actor(entry: RunEntry, id: ActorId): ActorEntry {
    let actor = entry.actors.get(id);
    if (actor === undefined) {
      actor = { events: [], snapshot: null };
      entry.actors.set(id, actor);
    }
    return actor;
  }

  #event(entry: RunEntry, record: ReadableRecord): void {
    const body = rawBodyOf(record) as EventBody;
    const actor = this.#actor(entry, body.actor);
    if (record.actorSequence !== actor.events.length + 1) markDamaged(entry); // (I3)
    entry.events.push({
      position: record.position,
      stateHash: chainHash(stateHashOf(entry), body.hash),
      counts: countEvent(countsOf(entry), body),
      bytes: (entry.events.at(-1)?.bytes ?? 0) + record.body.length,
    });
    actor.events.push(entry.events.length - 1);
  }

  #snapshot(entry: RunEntry, record: ReadableRecord): IndexChange {
    if (record.actor === null) {
      const claim = runSnapshotClaim(record);
      entry.snapshot = { position: record.position, ...claim };
      return { type: 'run-snapshot', entry };
    }
    const { position, actorSequence: sequence } = record;
    this.#actor(entry, record.actor).snapshot = { position, sequence };
    return { type: 'snapshot', entry, actor: record.actor };
  }
}

export function countsOf(entry: RunEntry): RunCounts {
  return entry.events.at(-1)?.counts ?? noCounts;
}

/** Whoever waits for a person; a fork's intentions have keys of the fork, those of its parent's events too. */
function pausesOf({ id, events }: RunEntry): readonly PauseView[] {
  const paused = events.at(-1)?.counts.paused ?? [];
  return paused.map(({ key, actor, step }) => {
    const own = intentionKey({ ...parseIntentionKey(key as IntentionKey), run: id });
    return { key: own, actor, step };
  });
}

/** How many agents wait for a person. */
export function pausedAgents(entries: readonly RunEntry[]): number {
  return entries.reduce((sum, entry) => sum + countsOf(entry).paused.length, 0);
}

export function stateHashOf(entry: RunEntry): Sha256 {
  return (entry.events.at(-1)?.stateHash ?? emptyStateHash) as Sha256;
}

function statusOf(entry: RunEntry): RunStatus {
  if (entry.ended !== null) return entry.ended.body.status;
  return entry.suspended === null ? 'running' : 'suspended';
}

/** @param workspace Absolute folder of the run's files. */
export function runView(entry: RunEntry, workspace: string): RunView {
  const { ended, started } = entry;
  const { usage, stepsDone, handedToHuman, paused } = countsOf(entry);
  const { parent } = started;
  return {
    id: entry.id,
    pipeline: started.pipeline,
    parent: parent === undefined ? null : { run: parent.run, at: parent.at },
    status: statusOf(entry),
    createdAt: entry.createdAt,
    endedAt: ended?.at ?? null,
    events: entry.events.length,
    stateHash: stateHashOf(entry),
    resultHash: ended === null || ended.body.resultHash === '' ? null : ended.body.resultHash,
    outputs: ended === null ? null : { ...ended.body.outputs, workspace },
    usage,
    progress: { stepsDone, stepsTotal: started.stepsTotal, handedToHuman },
    error: ended?.body.error ?? entry.suspended,
    ...(ended !== null || paused.length === 0 ? {} : { paused: pausesOf(entry) }),
    ...clearanceView(started),
  };
}
