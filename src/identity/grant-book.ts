/**
 * The grants that were issued, and how often each was used: a fold of the audit.
 *
 * Invariants
 *   G1. A grant is issued once: its nonce comes with it, so the same document
 *       is the same grant, also after it was revoked.
 *   G2. A use has a name, and one that comes again counts once: whoever tries
 *       the same intention again after a crash is not charged twice.
 *   G3. A use counts before anything is sent, never after.
 *   G4. Grants that have expired are forgotten; they could not be used anyway.
 */
import { z } from 'zod';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { AuditEvent, AuditPlace } from './audit-event.ts';
import type { AuditFold } from './audit-fold.ts';
import {
  type EgressGrant,
  egressGrantSchema,
  grantId,
  type SignedGrant,
  signedGrantSchema,
} from './egress-grant.ts';
import { operatorSignaturesSchema } from './operator-signature.ts';

export interface IssuedGrant extends SignedGrant {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  readonly revoked: { readonly at: number; readonly reason: string } | null;
  /** Uses so far. */
  readonly used: number;
}

interface Entry {
  readonly signed: SignedGrant;
  readonly issuedAt: number;
  revoked: IssuedGrant['revoked'];
  used: number;
  /** Names of the latest uses (G2). */
  readonly uses: Set<string>;
}

const useSchema = z.looseObject({ grant: z.string(), use: z.string().min(1).max(300) });
const revokedSchema = z.looseObject({ grant: z.string(), reason: z.string() });
const stateSchema = z.array(
  z.strictObject({
    grant: egressGrantSchema,
    signatures: operatorSignaturesSchema,
    issuedAt: z.number(),
    revoked: z.strictObject({ at: z.number(), reason: z.string() }).nullable(),
    used: z.number().int().min(0),
    uses: z.array(z.string()),
  }),
);

/** Uses of a grant by which a repeated one is known. */
const rememberedUses = 64;

export class GrantBook implements AuditFold {
  readonly #entries = new Map<string, Entry>();

  apply(event: AuditEvent, { timeMs }: AuditPlace): void {
    if (event.type === 'grant-issued') this.#issue(event, timeMs);
    if (event.type === 'grant-used') {
      const parsed = useSchema.safeParse(event);
      if (parsed.success) this.#use(parsed.data.grant, parsed.data.use);
    }
    if (event.type === 'grant-revoked') {
      const parsed = revokedSchema.safeParse(event);
      const entry = parsed.success ? this.#entries.get(parsed.data.grant) : undefined;
      if (parsed.success && entry !== undefined) {
        entry.revoked ??= { at: timeMs, reason: parsed.data.reason };
      }
    }
  }

  /** Charges a use, unless it was charged before (G2, G3). */
  #use(id: string, use: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.uses.has(use)) return;
    entry.used += 1;
    entry.uses.add(use);
    const [oldest] = entry.uses;
    if (entry.uses.size > rememberedUses && oldest !== undefined) entry.uses.delete(oldest);
  }

  /** Whether the use has been charged to the grant. */
  isCharged(id: string, use: string): boolean {
    return this.#entries.get(id)?.uses.has(use) ?? false;
  }

  find(id: string): IssuedGrant | undefined {
    const entry = this.#entries.get(id);
    return entry === undefined ? undefined : issued(id, entry);
  }

  /** Oldest first. */
  all(): readonly IssuedGrant[] {
    return Array.from(this.#entries, ([id, entry]) => issued(id, entry));
  }

  /** Those that could be used at that time if their signatures count. */
  open(nowMs: number): readonly IssuedGrant[] {
    return this.all().filter(
      ({ grant, revoked }) => revoked === null && grant.notBefore <= nowMs && nowMs < grant.expires,
    );
  }

  /** Whether one more may be issued. */
  hasRoom(nowMs: number): boolean {
    this.#forget(nowMs);
    return this.#entries.size < limits.grantsMax;
  }

  toJson(): Json {
    return Array.from(this.#entries.values(), (entry) => {
      const { signed, uses, ...rest } = entry;
      return { ...signed, ...rest, uses: [...uses] } as unknown as Json;
    });
  }

  restore(value: Json | undefined): void {
    this.#entries.clear();
    const parsed = stateSchema.safeParse(value);
    for (const { grant, signatures, uses, ...rest } of parsed.success ? parsed.data : []) {
      const entry = { ...rest, signed: { grant, signatures }, uses: new Set(uses) };
      this.#entries.set(grantId(grant), entry);
    }
  }

  #issue({ type: _type, ...event }: AuditEvent, timeMs: number): void {
    const parsed = signedGrantSchema.safeParse(event);
    if (!parsed.success) return;
    const id = grantId(parsed.data.grant);
    if (parsed.data.grant.expires <= timeMs) return; // (G4)
    if (this.#entries.has(id) || !this.hasRoom(timeMs)) return; // (G1)
    const entry = { issuedAt: timeMs, revoked: null, used: 0, uses: new Set<string>() };
    this.#entries.set(id, { signed: parsed.data, ...entry });
  }

  #forget(nowMs: number): void {
    for (const [id, { signed }] of this.#entries) {
      if (signed.grant.expires <= nowMs) this.#entries.delete(id); // (G4)
    }
  }
}

function issued(id: string, { signed, issuedAt, revoked, used }: Entry): IssuedGrant {
  return { id, ...signed, issuedAt, revoked, used };
}

export function grantIssuedEvent({ grant, signatures }: SignedGrant): AuditEvent {
  return { type: 'grant-issued', grant, signatures: [...signatures] } as unknown as AuditEvent;
}

/** Uses left of a grant. */
export function usesLeft({ grant, used }: { readonly grant: EgressGrant; readonly used: number }) {
  return Math.max(0, grant.maxUses - used);
}
