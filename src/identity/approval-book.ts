/**
 * What waits for people: requests that no grant covers, and grants that not
 * enough of them have signed yet. A fold of the audit.
 *
 * Invariants
 *   A1. Equal requests wait as one, and are decided once.
 *   A2. Signatures are gathered under one document. Who signs another begins anew.
 */
import { z } from 'zod';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { AuditEvent, AuditPlace } from './audit-event.ts';
import type { AuditFold } from './audit-fold.ts';
import { grantId, type SignedGrant, signedGrantSchema } from './egress-grant.ts';
import { approvalId, type EgressRequest, egressRequestSchema } from './egress-request.ts';
import { timeSchema } from './key-change.ts';

export interface PendingApproval {
  readonly id: string;
  readonly request: EgressRequest;
  /** Milliseconds since the epoch. */
  readonly requestedAt: number;
  /** Who waits gives up then. */
  readonly expires: number;
  /** A grant that some have signed, and not enough. */
  readonly draft: SignedGrant | null;
}

export type ApprovalEnd = 'granted' | 'denied' | 'expired';

const requestedSchema = z.looseObject({ request: egressRequestSchema, expires: timeSchema });
const signedSchema = z.looseObject({ approval: z.string(), ...signedGrantSchema.shape });
const endedSchema = z.looseObject({ approval: z.string() });
const stateSchema = z.array(
  z.strictObject({
    id: z.string(),
    request: egressRequestSchema,
    requestedAt: timeSchema,
    expires: timeSchema,
    draft: signedGrantSchema.nullable(),
  }),
);

export function approvalRequestedEvent(
  request: EgressRequest,
  asked: { readonly expires: number; readonly run: string; readonly actor: string },
): AuditEvent {
  const event = { type: 'approval-requested', approval: approvalId(request), request, ...asked };
  return event as unknown as AuditEvent;
}

export function approvalSignedEvent(
  approval: string,
  { grant, signatures }: SignedGrant,
): AuditEvent {
  const event = { type: 'approval-signed', approval, grant, signatures: [...signatures] };
  return event as unknown as AuditEvent;
}

export function approvalEndedEvent(approval: string, end: ApprovalEnd): AuditEvent {
  return { type: `approval-${end}`, approval };
}

export class ApprovalBook implements AuditFold {
  readonly #pending = new Map<string, PendingApproval>();

  apply(event: AuditEvent, { timeMs }: AuditPlace): void {
    switch (event.type) {
      case 'approval-requested':
        this.#request(event, timeMs);
        return;
      case 'approval-signed':
        this.#sign(event);
        return;
      case 'approval-granted':
      case 'approval-denied':
      case 'approval-expired': {
        const parsed = endedSchema.safeParse(event);
        if (parsed.success) this.#pending.delete(parsed.data.approval);
      }
    }
  }

  find(id: string): PendingApproval | undefined {
    return this.#pending.get(id);
  }

  /** Oldest first. */
  all(): readonly PendingApproval[] {
    return [...this.#pending.values()];
  }

  toJson(): Json {
    return this.all().map((pending) => ({ ...pending }) as unknown as Json);
  }

  restore(value: Json | undefined): void {
    this.#pending.clear();
    const parsed = stateSchema.safeParse(value);
    for (const pending of parsed.success ? parsed.data : []) this.#pending.set(pending.id, pending);
  }

  #request(event: AuditEvent, timeMs: number): void {
    const parsed = requestedSchema.safeParse(event);
    if (!parsed.success) return;
    for (const [id, { expires }] of this.#pending) if (expires <= timeMs) this.#pending.delete(id);
    if (this.#pending.size >= limits.approvalsMax) return;
    const { request, expires } = parsed.data;
    const id = approvalId(request);
    const { requestedAt = timeMs, draft = null } = this.#pending.get(id) ?? {};
    this.#pending.set(id, { id, request, requestedAt, expires, draft }); // (A1)
  }

  #sign(event: AuditEvent): void {
    const parsed = signedSchema.safeParse(event);
    const pending = parsed.success ? this.#pending.get(parsed.data.approval) : undefined;
    if (!parsed.success || pending === undefined) return;
    const { grant, signatures } = parsed.data;
    this.#pending.set(pending.id, {
      ...pending,
      draft: joined(pending.draft, { grant, signatures }),
    });
  }
}

/** The signatures of both where they sign the same, else the newer alone (A2). */
export function joined(before: SignedGrant | null, added: SignedGrant): SignedGrant {
  if (before === null || grantId(before.grant) !== grantId(added.grant)) return added;
  const known = new Set(before.signatures.map(({ key }) => key));
  const others = added.signatures.filter(({ key }) => !known.has(key));
  return { grant: added.grant, signatures: [...before.signatures, ...others] };
}
