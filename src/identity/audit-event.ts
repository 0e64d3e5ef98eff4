/**
 * What is journaled of keys, grants, refusals and quarantine: facts about who
 * may do what, beside the runs. An audit record concerns the whole data
 * directory; the run that an event speaks of is named in it, never in the
 * record's own field, so that erasing or dropping the run leaves the audit.
 *
 * Invariants
 *   A1. An event is plain JSON with a `type`; what else it has is its type's
 *       affair, and whoever folds it checks that. An event of an unknown type
 *       is kept and shown, never refused: a newer program may have written it.
 *   A2. No event carries a secret, a prompt or a text of a document.
 */
import { z } from 'zod';
import { canonicalJson } from '../kernel/hash.ts';
import type { JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';

/** `type` is kebab-case, such as `quarantined`. */
export type AuditEvent = JsonObject & { readonly type: string };

/** Where and when an event stands in the journal. */
export interface AuditPlace {
  /** Sequence of its record in the whole journal, from 1. */
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
}

/** An event that has become durable. */
export interface AuditNotice extends AuditPlace {
  readonly event: AuditEvent;
}

const auditEventSchema = z
  .record(z.string(), z.json())
  .refine((event) => typeof event.type === 'string' && /^[a-z][a-z0-9-]{0,63}$/.test(event.type));

/** The canonical bytes that a record carries (RFC 8785). */
export function auditEventBytes(event: AuditEvent): Buffer {
  return Buffer.from(canonicalJson(event), 'utf8');
}

/** The event in the body of an audit record, or null when the bytes are none. */
export function parseAuditEvent(bytes: Uint8Array): AuditEvent | null {
  if (bytes.length > limits.auditEventBytesMax) return null;
  try {
    const parsed = auditEventSchema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    return parsed.success ? (parsed.data as AuditEvent) : null;
  } catch {
    return null;
  }
}
