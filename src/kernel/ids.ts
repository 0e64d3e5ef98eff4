/**
 * Names of runs, actors and intentions. Each has one constructor, which
 * validates; everywhere else the branded type is the proof.
 */
import { randomUUIDv7 } from 'node:crypto';
import { assert } from './assert.ts';

/** A run: a UUID version 7 (RFC 9562), so that ids sort by creation time. */
export type RunId = string & { readonly __brand: 'RunId' };

/**
 * An actor inside its run: the path of its ancestors, `run`, `run/item-3`,
 * `run/item-3/triage`. At most 200 characters.
 */
export type ActorId = string & { readonly __brand: 'ActorId' };

/** Position of a record in its actor's own history, from 1. */
export type ActorSequence = number & { readonly __brand: 'ActorSequence' };

/** The key of one effect (law D3): `run:actor:sequence:index`. */
export type IntentionKey = string & { readonly __brand: 'IntentionKey' };

const runPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const actorPattern = /^[a-z0-9_-]+(\/[a-z0-9_.-]+)*$/i;
const actorIdCharactersMax = 200;

export function isRunId(text: string): text is RunId {
  return runPattern.test(text);
}

export function runId(text: string): RunId {
  assert(isRunId(text), `not a run id: ${text}`);
  return text;
}

export function newRunId(): RunId {
  return runId(randomUUIDv7());
}

/** The 16 bytes that stand for the run in a journal record. */
export function runIdBytes(id: RunId): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

export function runIdFromBytes(bytes: Uint8Array): RunId {
  assert(bytes.length === 16, 'a run id has 16 bytes');
  const hex = Buffer.from(bytes).toString('hex');
  return runId(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
  );
}

export function actorId(text: string): ActorId {
  assert(
    text.length <= actorIdCharactersMax && actorPattern.test(text),
    `not an actor id: ${text.slice(0, actorIdCharactersMax + 20)}`,
  );
  return text as ActorId;
}

export function childActorId(parent: ActorId, name: string): ActorId {
  return actorId(`${parent}/${name}`);
}

export interface IntentionAddress {
  readonly run: RunId;
  readonly actor: ActorId;
  readonly sequence: ActorSequence;
  /** Position among the intentions of that step, from 0. */
  readonly index: number;
}

export function intentionKey(address: IntentionAddress): IntentionKey {
  return `${address.run}:${address.actor}:${address.sequence}:${address.index}` as IntentionKey;
}

export function parseIntentionKey(key: string): IntentionAddress {
  const parts = key.split(':');
  assert(parts.length === 4, `not an intention key: ${key}`);
  const [run, actor, sequence, index] = parts as [string, string, string, string];
  return {
    run: runId(run),
    actor: actorId(actor),
    sequence: Number(sequence) as ActorSequence,
    index: Number(index),
  };
}
