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
 */
import type { ActorEvent } from '../actors/event.ts';
import type { JournalPosition, StoredRecord } from '../journal/record.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { chainHash, type Sha256, sha256 } from '../kernel/hash.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import {
  type BlobLookup,
  type EventBody,
  type RunEndedBody,
  type RunStartedBody,
  rawBodyOf,
  runEndedOf,
  runStartedOf,
} from './event-record.ts';
import type { RunStatus, RunView, Usage } from './views.ts';

/** Where an event lies, and what the run's state hash is after it. */
export interface IndexedEvent {
  readonly position: JournalPosition;
  readonly stateHash: string;
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
  /** Messages that actors received from outside so far. */
  outsideMessages: number;
  usage: Usage;
  stepsDone: number;
  handedToHuman: number;
  ended: { readonly body: RunEndedBody; readonly at: number } | null;
  /** Whether events are missing (I3). */
  damaged: boolean;
  /** Why an open run does not go on. */
  suspended: { readonly code: string; readonly message: string } | null;
}

/** State hash of a run before its first event. */
const emptyStateHash = sha256('');

const noUsage: Usage = {
  generations: 0,
  promptTokens: 0,
  answerTokens: 0,
  interventions: 0,
  toolCalls: 0,
};

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

function generationUsage(value: unknown): { promptTokens: number; answerTokens: number } {
  const usage = (value as { usage?: { promptTokens?: number; answerTokens?: number } } | null)
    ?.usage;
  return { promptTokens: usage?.promptTokens ?? 0, answerTokens: usage?.answerTokens ?? 0 };
}

function withEvent(usage: Usage, event: ActorEvent): Usage {
  if (event.type === 'retry') return { ...usage, interventions: usage.interventions + 1 };
  if (event.type !== 'outcome') return usage;
  if (event.tag === 'tool') return { ...usage, toolCalls: usage.toolCalls + 1 };
  if (event.tag !== 'generate' || event.outcome.status !== 'completed') return usage;
  const { promptTokens, answerTokens } = generationUsage(event.outcome.value);
  return {
    ...usage,
    generations: usage.generations + 1,
    promptTokens: usage.promptTokens + promptTokens,
    answerTokens: usage.answerTokens + answerTokens,
  };
}

/** What applying a record changed. */
export type IndexChange =
  | { readonly type: 'event'; readonly entry: RunEntry; readonly sequence: number }
  | { readonly type: 'started' | 'ended'; readonly entry: RunEntry }
  | { readonly type: 'snapshot'; readonly entry: RunEntry; readonly actor: ActorId }
  | { readonly type: 'none' };

export class RunIndex {
  readonly #runs = new Map<RunId, RunEntry>();
  readonly #blobs: BlobLookup;

  constructor(blobs: BlobLookup) {
    this.#blobs = blobs;
  }

  apply(record: StoredRecord): IndexChange {
    if (record.run === null) return { type: 'none' };
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
        entry.ended ??= { body: runEndedOf(record, this.#blobs), at: record.timeMs };
        return { type: 'ended', entry };
      default:
        return { type: 'none' };
    }
  }

  get(id: RunId): RunEntry | undefined {
    return this.#runs.get(id);
  }

  /** Oldest first. */
  all(): readonly RunEntry[] {
    return [...this.#runs.values()];
  }

  /** Neither ended nor suspended. */
  open(): readonly RunEntry[] {
    return this.all().filter((entry) => entry.ended === null && entry.suspended === null);
  }

  #start(record: StoredRecord, run: RunId): IndexChange {
    const entry: RunEntry = {
      id: run,
      started: runStartedOf(record, this.#blobs),
      createdAt: record.timeMs,
      events: [],
      actors: new Map(),
      outsideMessages: 0,
      usage: noUsage,
      stepsDone: 0,
      handedToHuman: 0,
      ended: null,
      damaged: false,
      suspended: null,
    };
    this.#runs.set(run, entry);
    return { type: 'started', entry };
  }

  #actor(entry: RunEntry, id: ActorId): ActorEntry {
    let actor = entry.actors.get(id);
    if (actor === undefined) {
      actor = { events: [], snapshot: null };
      entry.actors.set(id, actor);
    }
    return actor;
  }

  #event(entry: RunEntry, record: StoredRecord): void {
    const body = rawBodyOf(record) as EventBody;
    const actor = this.#actor(entry, body.actor);
    if (record.actorSequence !== actor.events.length + 1) markDamaged(entry); // (I3)
    const previous = entry.events.at(-1)?.stateHash ?? emptyStateHash;
    entry.events.push({ position: record.position, stateHash: chainHash(previous, body.hash) });
    actor.events.push(entry.events.length - 1);
    if (body.from === '@runtime') entry.outsideMessages += 1;
    entry.usage = withEvent(entry.usage, body.event);
    if (body.event.type === 'step-done') entry.stepsDone += 1;
    if (body.event.type === 'document-done') {
      // Events of older journals do not tell which steps never ran.
      entry.stepsDone += body.event.notRun?.length ?? 0;
      if (body.event.handedToHuman) entry.handedToHuman += 1;
    }
  }

  #snapshot(entry: RunEntry, record: StoredRecord): IndexChange {
    if (record.actor === null) return { type: 'none' };
    const { position, actorSequence: sequence } = record;
    this.#actor(entry, record.actor).snapshot = { position, sequence };
    return { type: 'snapshot', entry, actor: record.actor };
  }
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
  return {
    id: entry.id,
    pipeline: started.pipeline,
    status: statusOf(entry),
    createdAt: entry.createdAt,
    endedAt: ended?.at ?? null,
    events: entry.events.length,
    stateHash: stateHashOf(entry),
    resultHash: ended === null || ended.body.resultHash === '' ? null : ended.body.resultHash,
    outputs: ended === null ? null : { ...ended.body.outputs, workspace },
    usage: entry.usage,
    progress: {
      stepsDone: entry.stepsDone,
      stepsTotal: started.stepsTotal,
      handedToHuman: entry.handedToHuman,
    },
    error: ended?.body.error ?? entry.suspended,
  };
}
