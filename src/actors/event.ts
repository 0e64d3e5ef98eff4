/**
 * Every event that an actor can receive. The union is closed: a new need of a
 * machine is a new member here, so that the journal stays readable. All
 * members are plain JSON; time travels beside them, in the record.
 */
import type { ErrorMessage } from '../kernel/errors.ts';
import type { ActorId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import type { Answer } from './agent-answer.ts';
import type { Conversation } from './conversation.ts';
import type { Finding } from './detectors/finding.ts';
import type { Intervention } from './intervention.ts';
import type { Outcome } from './outcome.ts';
import type { Reading } from './reading.ts';
import type { StepResult } from './step-result.ts';
import type { Validation } from './validation.ts';

/** Where a part stands in its file. */
export interface TextRange {
  /** UTF-16 units from 0; the end is behind the last one. */
  readonly start: number;
  readonly end: number;
  /** Of its first and last character, from 1. */
  readonly firstLine: number;
  readonly lastLine: number;
}

/** A document of a run, by reference: its text is a blob. */
export interface DocumentReference {
  readonly name: string;
  readonly sha256: string;
  readonly part: { readonly index: number; readonly count: number } | null;
  /** Only of a part; absent in runs of older programs. */
  readonly range?: TextRange;
  /** Only where the pipeline has labels, here and in what follows. */
  readonly label?: string;
}

/**
 * What templates and checks of one step see. Long parts are text of their own
 * (`steps` and `items` as JSON), so that the journal stores each only once.
 */
export interface StepVariables {
  readonly document: {
    readonly name: string;
    readonly text: string;
    readonly part: number;
    readonly label?: string;
  } | null;
  /** JSON of `Record<string, StepResult>`. */
  readonly steps: string;
  /** JSON of `{ document, steps }` for each document, for a step over all documents. */
  readonly items: readonly string[] | null;
  readonly run: { readonly name: string; readonly seed: number };
}

/** How far an agent with turns had come, for the one that takes its place. */
export interface AgentProgress {
  /** Answers to the elements before the present one. */
  readonly answers: readonly Answer[];
  readonly conversation: Conversation;
  readonly label?: string;
}

/** What a critic is asked about. */
export interface Critique {
  readonly agent: string;
  /** Step of the doubted answer. */
  readonly of: string;
  readonly each: Json;
  readonly question: string;
  readonly answer: string;
  readonly reasons: readonly string[];
  readonly label?: string;
}

interface StartCommon {
  readonly type: 'start';
  readonly self: ActorId;
  /** JSON of the pipeline definition. */
  readonly definition: string;
  readonly seed: number;
}

export type StartRunEvent = StartCommon & {
  readonly machine: 'pipeline';
  readonly scope: 'run';
  readonly documents: readonly DocumentReference[];
};

export type StartDocumentEvent = StartCommon & {
  readonly machine: 'pipeline';
  readonly scope: 'document';
  readonly parent: ActorId;
  readonly index: number;
  readonly document: DocumentReference;
};

export type StartSupervisorEvent = StartCommon & {
  readonly machine: 'supervisor';
  readonly parent: ActorId;
};

export type StartAgentEvent = StartCommon & {
  readonly machine: 'agent';
  readonly parent: ActorId;
  readonly step: string;
  readonly variables: StepVariables;
  /** Of the agent whose place it takes, where that had turns. */
  readonly progress?: AgentProgress;
  /** Of an agent that decides about the answer of another one. */
  readonly critic?: Critique;
  readonly reading?: Reading;
};

/** An agent to a panel that examines one of its answers. */
export type StartPanelEvent = StartCommon & {
  readonly machine: 'panel';
  readonly parent: ActorId;
  readonly step: string;
  readonly variables: StepVariables;
  readonly each: Json;
  /** The prompt of the step, and what the model was asked this time. */
  readonly question: string;
  readonly asked: readonly { readonly role: 'system' | 'user'; readonly content: string }[];
  readonly answer: Json;
  readonly label?: string;
};

export type StartEvent =
  | StartRunEvent
  | StartDocumentEvent
  | StartSupervisorEvent
  | StartAgentEvent
  | StartPanelEvent;

/** The outcome of an external intention, delivered by the host. */
export interface OutcomeEvent {
  readonly type: 'outcome';
  readonly tag: string;
  readonly outcome: Outcome;
  /** Where it did not come from the actuator: who said so, and why. */
  readonly by?: { readonly who: 'human'; readonly reason: string | null };
}

/**
 * Nobody can say whether an effect that must not be repeated happened (law D3).
 * Its intention stays open until a human says what came of it.
 */
export interface OutcomeUnknownEvent {
  readonly type: 'outcome-unknown';
  readonly tag: string;
  readonly error: ErrorMessage;
}

export interface CancelEvent {
  readonly type: 'cancel';
}

/** The runtime to an actor of a forked run: another definition holds from here on. */
export interface AmendEvent {
  readonly type: 'amend';
  /** JSON of the pipeline definition. */
  readonly definition: string;
}

/** Pipeline to its supervisor. */
export interface RunStepEvent {
  readonly type: 'run-step';
  readonly step: string;
  readonly variables: StepVariables;
}

/** Supervisor to an agent whose answer was doubtful. */
export interface RetryEvent {
  readonly type: 'retry';
  readonly attempt: number;
  readonly temperature: number;
  readonly seed: number;
  /** The prompt of the next attempt; null asks the same again. */
  readonly grounding: string | null;
  /** Who is asked, where it is another one. */
  readonly model?: string;
  readonly intervention?: Intervention;
  /** Of what others have said about the doubt. */
  readonly label?: string;
}

/** Supervisor to an agent: no more attempts, report what there is. */
export interface SettleEvent {
  readonly type: 'settle';
  /** There is nothing but work for a human. */
  readonly handOver?: true;
  readonly intervention?: Intervention;
}

/** Supervisor to an agent: somebody else decides; it goes on waiting. */
export interface HoldEvent {
  readonly type: 'hold';
  readonly intervention: Intervention;
}

/** Supervisor to an agent: whoever decides takes the answer as it is. */
export interface AcceptEvent {
  readonly type: 'accept';
  readonly intervention: Intervention;
}

/** Supervisor to its pipeline, and that to the pipeline of the run: the run is to fail. */
export interface StopRunEvent {
  readonly type: 'stop-run';
  readonly error: { readonly code: string; readonly message: string };
}

/** Agent to its supervisor: an answer was stopped by a detector or doubted by a check. */
export interface AgentDoubtEvent {
  readonly type: 'agent-doubt';
  readonly step: string;
  readonly attempt: number;
  readonly each: Json;
  readonly question: string;
  readonly detector: string | null;
  readonly reasons: readonly string[];
  /** Only where rules say what is done about it. */
  readonly watched?: WatchedDoubt;
  readonly label?: string;
}

/** What rules are applied to. */
export interface WatchedDoubt {
  readonly findings: readonly Finding[];
  /** Whether asking again could help, if no rule says more. */
  readonly again: boolean;
  /** The answer, as text. */
  readonly answer: string;
}

export interface AgentDoneEvent {
  readonly type: 'agent-done';
  readonly step: string;
  readonly result: StepResult;
}

export interface AgentFailedEvent {
  readonly type: 'agent-failed';
  readonly step: string;
  readonly error: ErrorMessage;
  /** Of an agent with turns. */
  readonly progress?: AgentProgress;
  readonly label?: string;
}

export interface AgentCancelledEvent {
  readonly type: 'agent-cancelled';
  readonly step: string;
}

/** A panel to the agent whose answer it examined. */
export interface PanelDoneEvent {
  readonly type: 'panel-done';
  /** The answer that stands, if any does: that at hand, or the one that won a vote. */
  readonly output: Json;
  /** Why it is doubted, one sentence each. */
  readonly reasons: readonly string[];
  readonly validation: Validation;
  readonly label?: string;
}

export interface PanelFailedEvent {
  readonly type: 'panel-failed';
  readonly error: ErrorMessage;
}

export interface PanelCancelledEvent {
  readonly type: 'panel-cancelled';
}

/** Supervisor to its pipeline. */
export interface StepDoneEvent {
  readonly type: 'step-done';
  readonly step: string;
  readonly result: StepResult;
}

export interface SupervisorStoppedEvent {
  readonly type: 'supervisor-stopped';
}

/** Run pipeline to the pipelines of its documents: a step over all documents is done. */
export interface SharedStepDoneEvent {
  readonly type: 'shared-step-done';
  readonly step: string;
  /** JSON of its `StepResult`. */
  readonly result: string;
}

/** Pipeline of a document to the pipeline of the run. */
export interface DocumentDoneEvent {
  readonly type: 'document-done';
  readonly index: number;
  /** JSON of `{ document, steps }`, as templates see it among `items`. */
  readonly item: string;
  /** Hash of the results without confidences and attempts. */
  readonly digest: string;
  readonly handedToHuman: boolean;
  /** Steps that never ran: skipped, or the document could not be read. No step-done told of them. */
  readonly notRun: readonly string[];
  /** Why nothing at all came of the document, where a technical failure is the reason. */
  readonly failure: { readonly code: string; readonly message: string } | null;
}

export interface DocumentCancelledEvent {
  readonly type: 'document-cancelled';
  readonly index: number;
}

export type ActorEvent =
  | StartEvent
  | OutcomeEvent
  | OutcomeUnknownEvent
  | CancelEvent
  | AmendEvent
  | RunStepEvent
  | RetryEvent
  | SettleEvent
  | HoldEvent
  | AcceptEvent
  | StopRunEvent
  | AgentDoubtEvent
  | AgentDoneEvent
  | AgentFailedEvent
  | AgentCancelledEvent
  | PanelDoneEvent
  | PanelFailedEvent
  | PanelCancelledEvent
  | StepDoneEvent
  | SupervisorStoppedEvent
  | SharedStepDoneEvent
  | DocumentDoneEvent
  | DocumentCancelledEvent;

/** An event as a machine sees it: with the time of its record, in milliseconds since the epoch. */
export type TimedEvent = ActorEvent & { readonly at: number };

/** Whether an event speaks of an open intention, which its key orders, and not of a message. */
export function isAnswer(event: ActorEvent): event is OutcomeEvent | OutcomeUnknownEvent {
  return event.type === 'outcome' || event.type === 'outcome-unknown';
}
