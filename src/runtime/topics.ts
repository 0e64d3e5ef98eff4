/**
 * Who is who on the bus, what the messages between the runtime's threads mean,
 * and who may send and receive each: the permission table of the runtime.
 * Numbers are stable within a process only.
 */

import type { Actor, ActorJson, Envelope, OpenIntention } from '../actors/actor.ts';
import type { Outcome } from '../actors/outcome.ts';
import type { EgressPermit, PermitQuestion } from '../actuators/http.ts';
import { type DeadLetter, deadLetterTopicId } from '../bus/dead-letters.ts';
import { defineTopic, type ThreadId, threadId } from '../bus/endpoint.ts';
import type { AuditEvent, AuditNotice } from '../identity/audit-event.ts';
import type { Charter } from '../identity/charter.ts';
import type { Examination, ExaminationResult } from '../identity/token-examination.ts';
import type { GenerationOutcome } from '../inference/model-port.ts';
import type { ModelStatus } from '../inference/model-status.ts';
import type { ErrorMessage } from '../kernel/errors.ts';
import type { ActorId, IntentionKey, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { ActMessage, UnsignedActMessage } from './actuator-worker/protocol.ts';
import type { CharterMessage, SealMessage } from './identity-worker/protocol.ts';
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
export const identityThread = threadId(4);

/** Host workers follow, from index 0. */
export function hostThread(index: number): ThreadId {
  return threadId(5 + index);
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

/** What is said of an effect that nobody can know of after a restart. */
export function unknownOutcome(
  { run, id: actor }: Pick<Actor, 'run' | 'id'>,
  { key, intention }: OpenIntention,
): OutcomeMessage {
  const message = `Nobody can say whether ${intention.actuator}.${intention.operation} happened before the restart; claw resolve says what came of it.`;
  const outcome = { status: 'unknown', error: { code: 'OUTCOME_UNKNOWN', message } } as const;
  return { run, actor, key, tag: intention.tag, outcome };
}

export interface RunEndedMessage {
  readonly run: RunId;
}

export interface RunProfileMessage {
  readonly run: RunId;
  /** JSON of the pipeline definition. */
  readonly definition: string;
}

/** Host to main: a step of this run cannot be taken or released; the run must not go on. */
export interface RunBrokenMessage {
  readonly run: RunId;
  readonly error: ErrorMessage;
}

export interface AbortMessage {
  readonly key: IntentionKey;
}

export interface HostStartedMessage {
  /** Index of the host. */
  readonly host: number;
}

/** A message between threads, with the sender's seal on it. */
export interface SealedEnvelope {
  readonly envelope: Envelope;
  readonly seal: string;
}

/** Host to main: this was refused, and the actor is to stand still. */
export interface ViolationMessage {
  readonly run: RunId;
  readonly actor: ActorId;
  readonly error: ErrorMessage;
}

/** A thread to main, as its last message. */
export interface ClosedMessage {
  /** Index of the host; null for the actuators and the authority. */
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
  envelope: defineTopic<SealedEnvelope>({
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
  /** From the hosts by way of the authority, which signs. */
  unsignedAct: defineTopic<UnsignedActMessage>({
    id: 27,
    name: 'unsigned-act',
    policy: 'wait',
    publishers: hosts,
    subscribers: [identityThread],
  }),
  /** By the same way, so that it stays behind what it aborts. */
  unsignedAbort: defineTopic<AbortMessage>({
    id: 28,
    name: 'unsigned-abort',
    policy: 'wait',
    publishers: hosts,
    subscribers: [identityThread],
  }),
  act: defineTopic<ActMessage>({
    id: 13,
    name: 'act',
    policy: 'wait',
    publishers: [identityThread],
    subscribers: [actuatorThread],
  }),
  abort: defineTopic<AbortMessage>({
    id: 14,
    name: 'abort',
    policy: 'wait',
    publishers: [identityThread],
    subscribers: [actuatorThread],
  }),
  /** What a run may be, before anything of it. */
  charter: defineTopic<CharterMessage>({
    id: 15,
    name: 'charter',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [identityThread, ...hosts],
  }),
  sealCharter: defineTopic<SealMessage, Charter>({
    id: 29,
    name: 'seal-charter',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [identityThread],
  }),
  /** Main asks whether the gateway would let a token through. */
  examine: defineTopic<Examination, ExaminationResult>({
    id: 31,
    name: 'examine',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread],
  }),
  /** A host has refused a message, and the actor that it was for stands still. */
  violation: defineTopic<ViolationMessage>({
    id: 30,
    name: 'violation',
    policy: 'wait',
    publishers: hosts,
    subscribers: [mainThread],
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
    subscribers: [actuatorThread, inferenceThread, identityThread, ...hosts],
  }),
  /** Of a fork that may not reach beyond its own files; the same shape as an end. */
  withhold: defineTopic<RunEndedMessage>({
    id: 24,
    name: 'withhold',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread],
  }),
  /** What a run's actors may do, before any of them acts. */
  runProfile: defineTopic<RunProfileMessage>({
    id: 38,
    name: 'run-profile',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread],
  }),
  close: defineTopic<null>({
    id: 18,
    name: 'close',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread, inferenceThread, identityThread, ...hosts],
  }),
  closed: defineTopic<ClosedMessage>({
    id: 19,
    name: 'closed',
    policy: 'wait',
    publishers: [actuatorThread, identityThread, ...hosts],
    subscribers: [mainThread],
  }),
  hostFailed: defineTopic<HostFailedMessage>({
    id: 20,
    name: 'host-failed',
    policy: 'wait',
    publishers: hosts,
    subscribers: [mainThread],
  }),
  /** A host is there, or another in its seat. */
  hostStarted: defineTopic<HostStartedMessage>({
    id: 21,
    name: 'host-started',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread, identityThread],
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
    publishers: [actuatorThread],
    subscribers: [mainThread],
  }),
  /** What the folds of the audit have to take in: each event once it is durable, and first where they stand. */
  security: defineTopic<AuditNotice>({
    id: 26,
    name: 'security',
    policy: 'wait',
    publishers: [mainThread],
    subscribers: [actuatorThread, identityThread, ...hosts],
  }),
  /** Asks main for leave to go to the network; answered once it is granted and charged, or refused. */
  egress: defineTopic<PermitQuestion, EgressPermit>({
    id: 40,
    name: 'egress',
    policy: 'wait',
    publishers: [actuatorThread],
    subscribers: [mainThread],
  }),
  /** An intention that asked for leave is over. */
  egressWithdrawn: defineTopic<AbortMessage>({
    id: 41,
    name: 'egress-withdrawn',
    policy: 'wait',
    publishers: [actuatorThread],
    subscribers: [mainThread],
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
