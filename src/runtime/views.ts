/**
 * What the runtime shows and accepts: the port that the API and the command
 * line are written against.
 */

import type { LabelRule } from '../actors/labels.ts';
import type { Privacy } from '../actors/routing-policy.ts';
import type { ContentPart } from '../inference/model-port.ts';
import type { ModelStatus } from '../inference/model-status.ts';
import type { BackupReport } from '../journal/backup.ts';
import type { JournalMode } from '../journal/journal-writer.ts';
import type { RunId } from '../kernel/ids.ts';
import type { Json, JsonObject } from '../kernel/json.ts';
import type { AuditPort } from './audit-port.ts';
import type { BusView } from './bus-view.ts';
import type { ClearanceView } from './clearance-view.ts';
import type { CompactionReport } from './compact-journal.ts';
import type { CompactionLimit } from './compaction-plan.ts';
import type { ErasureReport } from './erase-run.ts';
import type { SandboxReport, SandboxRequest } from './sandbox-request.ts';
import type { SecurityPort } from './security-port.ts';
import type { SnapshotAudit } from './snapshot-run.ts';

export type RunStatus =
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'cancelled'
  | 'suspended'
  /** Its keys are gone: only counts and times are left. */
  | 'erased';

export interface Usage {
  readonly generations: number;
  readonly promptTokens: number;
  readonly answerTokens: number;
  /** Generations that a detector stopped or a check sent back. */
  readonly interventions: number;
  readonly toolCalls: number;
}

export interface RunView {
  readonly id: RunId;
  readonly pipeline: string;
  /** Of a fork: the run that it continues, and how many of its events. */
  readonly parent: { readonly run: RunId; readonly at: number } | null;
  readonly status: RunStatus;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly endedAt: number | null;
  /** Events journaled so far. */
  readonly events: number;
  /** Chained actor hashes in stream order, after the last event. */
  readonly stateHash: string;
  /** Hash of the outputs without ids, times and token statistics; null until the run ends. */
  readonly resultHash: string | null;
  /** Outputs by step id, workspace and report paths; null until the run ends. */
  readonly outputs: JsonObject | null;
  readonly usage: Usage;
  readonly progress: {
    readonly stepsDone: number;
    readonly stepsTotal: number;
    readonly handedToHuman: number;
  };
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Its events were dropped after a full replay had found them equal. */
  readonly compacted?: true;
  /** Agents that wait for a person, where there are any. */
  readonly paused?: readonly PauseView[];
  /** Where the pipeline has labels. */
  readonly clearance?: ClearanceView;
}

/** An agent that the supervisor has paused, until `claw release`. */
export interface PauseView {
  /** Key of the effect that a person resolves. */
  readonly key: string;
  /** The supervisor. */
  readonly actor: string;
  readonly step: string;
}

/** What a supervisor did about a doubtful answer. */
export interface InterventionView {
  /** The event by which the agent heard of it. */
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** The agent. */
  readonly actor: string;
  /** Place of the rule in `supervise.rules`, from 0; null without rules. */
  readonly rule: number | null;
  readonly when: string | null;
  /** As `do` of the rule; without rules `retry`, or `settle` when the attempts were used up. */
  readonly did: string;
  /** What a person or critic decided, where one was asked. */
  readonly decided: string | null;
  /** Attempt whose answer was doubted, from 0; null where the journal does not tell it. */
  readonly attempt: number | null;
  readonly findings: readonly { readonly source: string; readonly evidence: string }[];
  /** How the next attempt is asked; null when there is none. */
  readonly next: {
    readonly attempt: number;
    readonly temperature: number;
    readonly seed: number;
    readonly model: string | null;
    /** Null: the same question. */
    readonly prompt: string | null;
  } | null;
}

export interface EventView {
  /** Position in the run's stream, from 1. */
  readonly sequence: number;
  readonly actor: string;
  readonly actorSequence: number;
  readonly machine: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Key of the intention that caused the event, or null for the first one. */
  readonly cause: string | null;
  readonly event: JsonObject;
  readonly actorHash: string;
  readonly stateHash: string;
  readonly intentions: readonly {
    readonly kind: string;
    readonly target: string;
    readonly digest: string;
  }[];
  /** Hash of the context that its step newly asked on, of an agent with turns. */
  readonly context?: string;
}

/** Something that an actor wanted done outside. */
export interface EffectView {
  /** `run:actor:sequence:index`; a repetition has the same. */
  readonly key: string;
  readonly actor: string;
  /** Such as `file.write`. */
  readonly operation: string;
  /** Null for an operation that this program does not know. */
  readonly effect: 'pure' | 'idempotent' | 'once' | null;
  /** `unknown`: nobody can say whether it happened. `unanswered`: the run ended before an outcome. */
  readonly status: 'open' | 'completed' | 'failed' | 'refused' | 'unknown' | 'unanswered';
  /** Of the error of an outcome that is none of the wanted. */
  readonly code: string | null;
  /** The event that wanted it, and the one that brought its outcome. */
  readonly requested: { readonly sequence: number; readonly time: number };
  readonly answered: { readonly sequence: number; readonly time: number } | null;
}

/** A context that an agent with turns asked on: what was before, and what it appended. */
export interface ContextView {
  readonly hash: string;
  /** Null for the beginning of a conversation. */
  readonly parent: string | null;
  readonly actor: string;
  /** The event whose step asked on it. */
  readonly sequence: number;
  /** Items that it appends to its parent. */
  readonly items: number;
}

/** A context with everything before it, as the model was asked. */
export interface TranscriptView extends ContextView {
  readonly messages: readonly {
    readonly role: 'system' | 'user' | 'assistant';
    readonly content: string;
  }[];
}

/** An item of a context as a generation was asked on it. */
export interface WindowItemView {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  /** Of a result. */
  readonly tool?: string;
  /** Whether it is an objective that the pipeline pins. */
  readonly pinned: boolean;
  readonly characters: number;
  readonly content: Json;
}

export interface LeftItemView extends WindowItemView {
  /** Part of the question's words that its turn shares, 0 to 1; null where nothing was decided by it. */
  readonly relevance: number | null;
}

/** Which generation is looked at: the last one at or before an event, of one agent or of any. */
export interface WindowRequest {
  /** From 1; without it the last event. */
  readonly at?: number | undefined;
  readonly actor?: string | undefined;
}

/** What was in the window of a generation. */
export interface WindowView {
  readonly actor: string;
  /** The event whose step asked. */
  readonly sequence: number;
  readonly characters: number;
  /** As the model counted them; null until it has answered, and where it does not tell. */
  readonly promptTokens: number | null;
  /** The model's context became larger for it, in tokens; null where it had room. */
  readonly grown: { readonly from: number; readonly to: number } | null;
  /** Characters that it may have; null where this generation did not have to be shortened. */
  readonly budget: number | null;
  /** The event at which the agent asked before; null for its first question. */
  readonly previous: number | null;
  readonly items: readonly WindowItemView[];
  /** What the generation before was asked on and this one is not. */
  readonly left: readonly LeftItemView[];
}

/** A token as it is generated: live, unjournaled, may be shed. */
export interface TokenView {
  readonly run: RunId;
  readonly actor: string;
  readonly text: string;
  readonly confidence: number | null;
  /** Position in the answer, from 0; one that comes again replaces what stood there and after it. */
  readonly place: number;
}

export interface StartRunRequest {
  /** Path of a pipeline file, or the definition itself. */
  readonly pipeline: string | JsonObject;
  readonly input: { readonly folder: string };
  readonly seed?: number;
  /** Labels of documents besides those of the pipeline; they only ever raise one. */
  readonly labels?: readonly LabelRule[];
}

export interface ForkRequest {
  /** How many events of the run it begins with, from 1. */
  readonly at: number;
  /**
   * What is another from there on: `model`, `temperature`, `prompt` or `system` of
   * every agent or, as `AGENT.SETTING`, of one; `outcome`, for what was in flight.
   */
  readonly set?: JsonObject;
  /** Whether effects that reach outside the run's own files are performed; not unless said. */
  readonly allowEffects?: boolean;
}

/** What came of an effect whose outcome is unknown, said by a human. */
export interface ResolveRequest {
  /** As `EffectView` has it. */
  readonly key: string;
  /** `done`: it happened. `failed`: it did not. Or the outcome itself. */
  readonly outcome: 'done' | 'failed' | JsonObject;
  readonly reason?: string;
}

export interface CompactionRequest {
  /** Everything before it may go. */
  readonly before: CompactionLimit;
  /** Proves and says what would go, and changes nothing. */
  readonly dryRun?: boolean;
}

export interface GenerateTextRequest {
  readonly prompt: string;
  readonly system?: string;
  readonly schema?: JsonObject;
  readonly temperature?: number;
  readonly seed?: number;
  readonly maxTokens?: number;
  /** The model that is asked for; else as the routing policy says, or the default one. */
  readonly model?: string;
  readonly privacy?: Privacy;
  /** Images and recordings that are shown after the prompt. */
  readonly parts?: readonly ContentPart[];
}

export interface GeneratedText {
  readonly model: string;
  readonly text: string;
  readonly tokens: readonly {
    readonly text: string;
    readonly confidence: number | null;
    readonly forced: boolean;
    readonly entropy: number | null;
    readonly margin: number | null;
  }[];
  readonly minConfidence: number | null;
  readonly usage: { readonly promptTokens: number; readonly answerTokens: number };
}

export interface SnapshotsView {
  readonly taken: number;
  /** How many of them were compared with a full replay, and how many were wrong. */
  readonly audited: number;
  readonly mismatches: number;
  readonly lastAudit: SnapshotAudit | null;
}

/** The directory of actors and the grid of snapshots behind it, both in shared memory. */
export interface HibernationView {
  /** Places of the directory: one for each actor that lives or sleeps. */
  readonly slots: { readonly used: number; readonly free: number };
  /** Sleeping actors whose snapshot is here; that of any other is in the journal alone. */
  readonly snapshots: number;
  /** Of the grid: pages stay in use once they were, for the next snapshots. */
  readonly bytes: { readonly used: number; readonly free: number };
  /** What snapshots have in common. */
  readonly templates: number;
  /** Snapshots that left their place to another, since the start. */
  readonly spilled: number;
  /** Snapshots that were found damaged and read from the journal, since the start. */
  readonly damaged: number;
}

export interface HealthView {
  readonly status: 'ok';
  readonly version: string;
  readonly model: {
    readonly name: string;
    readonly backend: 'llama.cpp' | 'openai-compatible';
    readonly demonstration: boolean;
  };
  readonly threads: readonly string[];
  /** How often hosts have started again because one had died. */
  readonly hostRestarts: number;
  /** Snapshots of runs since the start. */
  readonly snapshots: SnapshotsView;
  /** Actors that sleep, now. */
  readonly hibernation: HibernationView;
  readonly journal: JournalMode;
  readonly openRuns: number;
  /** Agents of open runs that wait for a person. */
  readonly paused: number;
}

export interface EraseOptions {
  /** Also the runs that begin with its events. */
  readonly forks?: boolean;
}

/** The running system as the API and `claw` use it. Every method that names a run throws RUN_NOT_FOUND. */
export interface RuntimePort {
  /** Who may do what. */
  readonly security: SecurityPort;
  readonly audit: AuditPort;
  health(): HealthView;
  /** Every model that serves, the default one first. */
  models(): Promise<readonly ModelStatus[]>;
  /** Loads a model again, from its file as it is now. @throws RuntimeError as `ModelSet.reload` */
  reloadModel(name: string): Promise<ModelStatus>;
  /** What the threads send each other: totals, and rates of the last second or two. */
  bus(): BusView;
  startRun(request: StartRunRequest): Promise<RunView>;
  /** A new run that begins with the first events of another one and goes on by itself. */
  fork(id: string, request: ForkRequest): Promise<RunView>;
  /** A copy of the data directory, or more of an earlier one. @throws RuntimeError as `backUp`, DATA_DIRECTORY_BUSY */
  backUp(folder: string): Promise<BackupReport>;
  /** Drops the beginning of the journal, with proof. @throws RuntimeError as `compactJournal` */
  compactJournal(request: CompactionRequest): Promise<CompactionReport>;
  runs(): readonly RunView[];
  run(id: string): RunView;
  /** At most `limit` events, fewer where they are large; at least one if the run has one from `from` on. */
  events(id: string, range: { from: number; limit: number }): readonly EventView[];
  /** What the run wanted done outside, in the order in which it did. */
  effects(id: string): readonly EffectView[];
  /** What its supervisors did about doubtful answers, in order. */
  interventions(id: string): readonly InterventionView[];
  /** What its agents with turns asked on, in the order in which they did. */
  contexts(id: string): readonly ContextView[];
  /** One of these whole. Enough of its hash will do. @throws RuntimeError also CONTEXT_NOT_FOUND */
  transcript(id: string, hash: string): TranscriptView;
  /** What the model was asked on in one generation. @throws RuntimeError also CONTEXT_NOT_FOUND */
  window(id: string, request: WindowRequest): WindowView;
  /** Calls the listener for each durable event from `from` on, in order, until the returned function is called. */
  subscribe(id: string, from: number, listener: (event: EventView) => void): () => void;
  /** Live tokens of every run. */
  onToken(listener: (token: TokenView) => void): () => void;
  /** Resolves when the run has ended. Aborting the signal ends the waiting, by a rejection. */
  ended(id: string, signal?: AbortSignal): Promise<RunView>;
  cancel(id: string): Promise<RunView>;
  /** Tells the run what came of an effect; resolves once it is recorded. */
  resolve(id: string, request: ResolveRequest): Promise<EffectView>;
  /** Erases an ended run for good. @throws RuntimeError also RUN_NOT_ENDED, RUN_HAS_FORKS, RUN_NOT_ENCRYPTED */
  erase(id: string, options?: EraseOptions): Promise<ErasureReport>;
  generate(
    request: GenerateTextRequest,
    onToken?: (token: { text: string; confidence: number | null }) => void,
    signal?: AbortSignal,
  ): Promise<GeneratedText>;
  /** Aborting the signal kills the script, or takes it out of the queue. */
  sandbox(request: SandboxRequest, signal?: AbortSignal): Promise<SandboxReport>;
  stop(): Promise<void>;
}
