/**
 * Who is who on the bus, and what the frames between the runtime's threads
 * mean. Numbers are stable within a process only.
 */

import type { ActorJson } from '../actors/actor.ts';
import type { Outcome } from '../actors/outcome.ts';
import { type ThreadId, threadId } from '../bus/endpoint.ts';
import type { ErrorMessage } from '../kernel/errors.ts';
import type { ActorId, IntentionKey, RunId } from '../kernel/ids.ts';

export const mainThread = threadId(0);
export const journalThread = threadId(1);
export const actuatorThread = threadId(2);
export const inferenceThread = threadId(3);

/** Host workers follow, from index 0. */
export function hostThread(index: number): ThreadId {
  return threadId(4 + index);
}

/** The journal worker uses topic 1, the inference worker its own from 32 on. */
export const topics = {
  envelope: 10,
  adopt: 11,
  wake: 12,
  act: 13,
  abort: 14,
  register: 15,
  outcome: 16,
  runEnded: 17,
  close: 18,
  closed: 19,
  hostFailed: 20,
  hostKey: 21,
  journalFailed: 22,
  runBroken: 23,
} as const;

/** Main to a host: this actor is yours now. Answers a wake, or recovers an open run. */
export interface AdoptMessage {
  readonly actor: ActorJson;
  readonly epoch: number;
  /** Digest of the actor's last event record, hexadecimal; null for none. */
  readonly previousDigest: string | null;
  /** Carry the open external intentions out again, under the same keys. */
  readonly resume: boolean;
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
