/**
 * What of a record of the journal is told to others: audit events whole, and of
 * runs who wanted which operation and what came of it.
 *
 * Invariants
 *   N1. No text goes out: no prompt, no answer, no document, no arguments, no
 *       message of an error. Of those there are digests and codes.
 *   N2. An entry has an id that it keeps, however often it is told: the sequence of
 *       its record and its place among the entries of it.
 */
import { effectOf, isKnownOperation } from '../actors/effects.ts';
import { type AuditEvent, parseAuditEvent } from '../identity/audit-event.ts';
import type { ReadableRecord } from '../journal/record.ts';
import {
  type ActorSequence,
  type IntentionKey,
  intentionKey,
  parseIntentionKey,
} from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { type EventBody, type RunEndedBody, rawBodyOf } from './event-record.ts';

interface EntryPlace {
  /** (N2) */
  readonly id: string;
  /** Sequence of the record. */
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
}

/** An operation that an actor wanted. */
interface Effect {
  readonly run: string;
  readonly actor: string;
  /** `inference.generate`; `unknown` where the request is not among what was read. */
  readonly operation: string;
  /** `pure`, `idempotent` or `once`; null where the operation is not known. */
  readonly effect: string | null;
  readonly key: string;
}

export type AuditEntry = EntryPlace &
  (
    | { readonly kind: 'audit'; readonly event: AuditEvent }
    | (Effect & { readonly kind: 'effect-requested'; readonly digest: string })
    | (Effect & {
        readonly kind: 'effect-answered';
        readonly status: 'completed' | 'failed' | 'refused' | 'unknown';
        readonly code: string | null;
      })
    | { readonly kind: 'run-started' | 'run-erased'; readonly run: string }
    | { readonly kind: 'run-ended'; readonly run: string; readonly status: RunEndedBody['status'] }
  );

/** Operations that were asked for and not answered, oldest first; bounded. */
export type OpenOperations = Map<IntentionKey, string>;

/** The entries of a record, mostly none. @param open Is carried from record to record. */
export function entriesOf(record: ReadableRecord, open: OpenOperations): AuditEntry[] {
  const { type, run, sequence, timeMs } = record;
  const place = { id: String(sequence), sequence, timeMs };
  if (type === 'audit') {
    const event = parseAuditEvent(record.body);
    return event === null ? [] : [{ ...place, kind: 'audit', event: shortened(event) }];
  }
  if (run === null || record.unreadable === true) return [];
  if (type === 'run-started' || type === 'run-erased') return [{ ...place, kind: type, run }];
  if (type === 'run-ended') {
    const { status } = rawBodyOf(record) as RunEndedBody;
    return [{ ...place, kind: type, run, status }];
  }
  return type === 'event' ? effectsOf(record, open) : [];
}

function effectsOf(record: ReadableRecord, open: OpenOperations): AuditEntry[] {
  const { run, sequence, timeMs } = record;
  const body = rawBodyOf(record) as EventBody;
  if (run === null) return [];
  const entries: AuditEntry[] = [];
  const place = () => ({ id: `${sequence}.${entries.length}`, sequence, timeMs });
  const answer = answerOf(body);
  if (answer !== null && body.cause !== null) {
    const key = intentionKey({ ...parseIntentionKey(body.cause), run });
    const operation = open.get(key) ?? 'unknown';
    open.delete(key);
    const effect = { run, actor: body.actor, operation, effect: classOf(operation), key };
    entries.push({ ...place(), kind: 'effect-answered', ...effect, ...answer });
  }
  for (const [index, { kind, target, digest }] of body.intentions.entries()) {
    if (kind !== 'act') continue;
    const at = record.actorSequence as ActorSequence; // An event has one.
    const key = intentionKey({ run, actor: body.actor, sequence: at, index });
    remember(open, key, target);
    const effect = { run, actor: body.actor, operation: target, effect: classOf(target), key };
    entries.push({ ...place(), kind: 'effect-requested', ...effect, digest });
  }
  return entries;
}

function answerOf({ event }: EventBody) {
  if (event.type === 'outcome') {
    const { outcome } = event;
    // An amended event has what a human gave; its shape was checked then.
    const code = outcome.status === 'completed' ? null : codeOf(outcome.error);
    return { status: outcome.status, code };
  }
  if (event.type === 'outcome-unknown') {
    return { status: 'unknown' as const, code: codeOf(event.error) };
  }
  return null;
}

function codeOf(error: { readonly code?: unknown } | undefined): string | null {
  return typeof error?.code === 'string' ? error.code : null;
}

function classOf(operation: string): string | null {
  const [actuator = '', name = ''] = operation.split('.');
  return isKnownOperation(actuator, name) ? effectOf(actuator, name) : null;
}

function remember(open: OpenOperations, key: IntentionKey, operation: string): void {
  open.set(key, operation);
  if (open.size <= limits.auditOpenOperationsMax) return;
  const [oldest] = open.keys();
  if (oldest !== undefined) open.delete(oldest);
}

/** What stands for all events before it is as large as they are, and they were told. */
function shortened(event: AuditEvent): AuditEvent {
  return event.type === 'security-state' ? { type: event.type } : event;
}
