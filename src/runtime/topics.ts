/**
 * Who is who on the bus, what the messages between the runtime's threads mean,
 * and who may send and receive each: the permission table of the runtime.
 * Numbers are stable within a process only.
 */

import type { ActorJson, Envelope } from '../actors/actor.ts';
import type { Outcome } from '../actors/outcome.ts';
import { type DeadLetter, deadLetterTopicId } from '../bus/dead-letters.ts';
import { defineTopic, type ThreadId, threadId } from '../bus/endpoint.ts';
import type { AuditEvent, AuditNotice } from '../identity/audit-event.ts';
import type { KeyRegistration } from '../identity/key-directory.ts';
import type { GenerationOutcome } from '../inference/model-port.ts';
import type { ModelStatus } from '../inference/model-status.ts';
import type { ErrorMessage } from '../kernel/errors.ts';
import type { ActorId, IntentionKey, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { ActMessage, HostKeyMessage } from './actuator-worker/protocol.ts';
import type {
  AbortGenerationMessage,
  GenerateMessage,
  ReloadedModel,
  ReloadModelMessage,
  StatusMessage,
  TokenNotice,
} from './inference-worker/protocol.ts';
import type { DurableNotice } from './journal-worker/protocol.ts';

export const mainThread = threadId(0);
export const journalThread = threadId(1);
export const actuatorThread = threadId(2);
export const inferenceThread = threadId(3);

/** Host workers follow, from index 0. */
export function hostThread(index: number): ThreadId {
  return threadId(4 + index);
}

const hosts = Array.from({ length: limits.hostsMax }, (_, index) => hostThread(index));

/** Main to a host: this actor is yours now. Answers a wake, or recovers an open run. */
export interface AdoptMessage {
  readonly actor: ActorJson;
  readonly epoch: number;
  /** Digest of the actor's last event record, hexadecimal; null for none. */
  readonly previousDigest: string | null;
  /** Whether that event is one of the run's parent, so that the chain of the fork begins here. */
  readonly begins: boolean;
  /** Tags of the open external intentions to carry out again, under the same keys. */
  readonly resume: readonly string[];
}

/** Host to main: send me this hibernated actor, whose last event has this sequence. */
export interface WakeMessage {
  readonly host: number;
  readonly run: RunId;
  readonly actor: ActorId;
  readonly sequence: number;
  readonly epoch: number;
}

export interface OutcomeMessage {
  readonly run: RunId;
  readonly actor: ActorId;
  readonly key: IntentionKey;
  readonly tag: string;
  readonly outcome: Outcome;
}

/** The outcome as the actor's mail. */
export function outcomeEnvelope({ run, actor, key, tag, outcome }: OutcomeMessage): Envelope {
  const event =
    outcome.status === 'unknown'
      ? ({ type: 'outcome-unknown', tag, error: outcome.error } as const)
      : ({ type: 'outcome', tag, outcome } as const);
  return { run, to: actor, from: '@actuator', number: 0, cause: key, event, machine: null };
}

export interface RunEndedMessage {
  readonly run: RunId;
}

/** Host to main: a step of this run cannot be taken or released; the run must not go on. */
export interface RunBrokenMessage {
  readonly run: RunId;
  readonly error: ErrorMessage;
}

export interface AbortMessage {
  readonly key: IntentionKey;
}

/** A thread to main, as its last message. */
export interface ClosedMessage {
  /** Index of the host; null for the actuators. */
  readonly host: number | null;
}

export interface HostFailedMessage {
  readonly host: number;
  readonly error: ErrorMessage;
}

export const topics = {
  deadLetters: defineTopic<DeadLetter>({
    id: deadLetterTopicId,
    name: 'dead-letters',
    policy: 'shed',
    publishers: 'everyone',
    subscribers: [mainThread],
  }),
  /** After each group of the journal. One that was shed is made up for by the next. */
  durable: defineTopic<DurableNotice>({
    id: 1,
    name: 'durable',
    policy: 'shed',
    publishers: [journalThread],
    subscribers: [mainThread, actuatorThread],
  }),
  envelope: defineTopic<Envelope>({
    id: 10,
    name: 'envelope',
    policy: 'wait',
    publishers: [mainThread, ...hosts],
    subscribers: hosts,
  }),
  adopt: defineTopic<AdoptMessage>({
    id: 11,
    name: 'adopt',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: hosts,
  }),
  wake: defineTopic<WakeMessage>({
    id: 12,
    name: 'wake',
    policy: 'wait',
    publishers: hosts,
    subscribers: [mainThread],
  }),
  act: defineTopic<ActMessage>({
    id: 13,
    name: 'act',
    policy: 'wait',
    publishers: hosts,
    subscribers: [actuatorThread],
  }),
  abort: defineTopic<AbortMessage>({
    id: 14,
    name: 'abort',
    policy: 'wait',
    publishers: hosts,
    subscribers: [actuatorThread],
  }),
  register: defineTopic<KeyRegistration>({
    id: 15,
    name: 'register',
    policy: 'wait',
    publishers: hosts,
    subscribers: [actuatorThread],
  }),
  outcome: defineTopic<OutcomeMessage>({
    id: 16,
    name: 'outcome',
    policy: 'wait',
    publishers: [actuatorThread],
    subscribers: hosts,
  }),
  runEnded: defineTopic<RunEndedMessage>({
    id: 17,
    name: 'run-ended',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread, inferenceThread, ...hosts],
  }),
  /** Of a fork that may not reach beyond its own files; the same shape as an end. */
  withhold: defineTopic<RunEndedMessage>({
    id: 24,
    name: 'withhold',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread],
  }),
  close: defineTopic<null>({
    id: 18,
    name: 'close',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread, inferenceThread, ...hosts],
  }),
  closed: defineTopic<ClosedMessage>({
    id: 19,
    name: 'closed',
    policy: 'wait',
    publishers: [actuatorThread, ...hosts],
    subscribers: [mainThread],
  }),
  hostFailed: defineTopic<HostFailedMessage>({
    id: 20,
    name: 'host-failed',
    policy: 'wait',
    publishers: hosts,
    subscribers: [mainThread],
  }),
  hostKey: defineTopic<HostKeyMessage>({
    id: 21,
    name: 'host-key',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread],
  }),
  journalFailed: defineTopic<null>({
    id: 22,
    name: 'journal-failed',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread],
  }),
  runBroken: defineTopic<RunBrokenMessage>({
    id: 23,
    name: 'run-broken',
    policy: 'wait',
    publishers: hosts,
    subscribers: [mainThread],
  }),
  /** Asks main to journal an audit event; answered once it is durable. */
  audit: defineTopic<AuditEvent, null>({
    id: 25,
    name: 'audit',
    policy: 'wait',
    publishers: [actuatorThread, ...hosts],
    subscribers: [mainThread],
  }),
  /** What the folds of the audit have to take in: each event once it is durable, and first where they stand. */
  security: defineTopic<AuditNotice>({
    id: 26,
    name: 'security',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread, ...hosts],
  }),
  generate: defineTopic<GenerateMessage, GenerationOutcome>({
    id: 32,
    name: 'generate',
    policy: 'wait',
    publishers: [mainThread, actuatorThread],
    subscribers: [inferenceThread],
  }),
  abortGeneration: defineTopic<AbortGenerationMessage>({
    id: 33,
    name: 'abort-generation',
    policy: 'wait',
    publishers: [mainThread, actuatorThread],
    subscribers: [inferenceThread],
  }),
  models: defineTopic<null, readonly ModelStatus[]>({
    id: 36,
    name: 'models',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [inferenceThread],
  }),
  reloadModel: defineTopic<ReloadModelMessage, ReloadedModel>({
    id: 37,
    name: 'reload-model',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [inferenceThread],
  }),
  /** Live, unjournaled, and left out when the listener is slow. */
  token: defineTopic<TokenNotice>({
    id: 34,
    name: 'token',
    policy: 'shed',
    publishers: [inferenceThread],
    subscribers: [mainThread],
  }),
  modelStatus: defineTopic<StatusMessage>({
    id: 35,
    name: 'model-status',
    policy: 'wait',
    publishers: [inferenceThread],
    subscribers: [mainThread],
  }),
} as const;
