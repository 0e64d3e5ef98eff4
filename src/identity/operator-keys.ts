/**
 * Which people may approve, and how many of them it takes: a fold of the audit.
 *
 * The first key is trusted on first use. From then on every change is signed
 * by as many enrolled keys as the threshold says. Who has lost a key asks the
 * others to revoke it; who has lost all of them resets the keys with the data
 * directory in hand and the server stopped.
 *
 * Invariants
 *   O1. After the first key, nothing changes without the signatures of
 *       `threshold` different enrolled keys that are not revoked. The fold checks
 *       them itself, so a record that somebody else slipped into the journal
 *       changes nothing.
 *   O2. A statement counts once, and not after it has expired.
 *   O3. There are always at least as many keys as the threshold, so that the
 *       operators cannot lock themselves out by a statement of their own.
 *   O4. A revoked key never comes back, nor does its name.
 *   O5. Only a reset, which no thread can ask for, opens the first use again.
 */
import { z } from 'zod';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { AuditEvent, AuditPlace } from './audit-event.ts';
import type { AuditFold } from './audit-fold.ts';
import {
  type KeyChange,
  operatorNameSchema,
  type SignedKeyStatement,
  signedKeyStatementSchema,
  statementId,
  timeSchema,
} from './key-change.ts';
import { publicKeySchema, signersOf } from './operator-signature.ts';
import type { PublicKey } from './signing-key.ts';

export interface EnrolledKey {
  readonly name: string;
  readonly publicKey: PublicKey;
  /** Milliseconds since the epoch. */
  readonly enrolledAt: number;
  readonly revoked: { readonly at: number; readonly reason: string } | null;
}

const stateSchema = z.strictObject({
  threshold: z.number().int().min(1),
  keys: z.array(
    z.strictObject({
      name: operatorNameSchema,
      publicKey: publicKeySchema,
      enrolledAt: timeSchema,
      revoked: z.strictObject({ at: timeSchema, reason: z.string() }).nullable(),
    }),
  ),
  used: z.array(z.tuple([z.string(), timeSchema])),
});

/** The audit event of each kind of change. */
const eventTypes = {
  enroll: 'key-enrolled',
  revoke: 'key-revoked',
  threshold: 'key-threshold-set',
} as const satisfies Record<KeyChange['type'], string>;

const changing = new Set<string>(Object.values(eventTypes));
const resetType = 'keys-reset';

export function keyChangeEvent(signed: SignedKeyStatement): AuditEvent {
  const { statement, signatures } = signed;
  const type = eventTypes[statement.change.type];
  return { type, statement, signatures: [...signatures] } as AuditEvent;
}

/** Appended by hand alone, with the server stopped (O5). */
export function keysResetEvent(reason: string): AuditEvent {
  return { type: resetType, reason };
}

export class OperatorKeys implements AuditFold {
  readonly #keys = new Map<string, EnrolledKey>();
  /** Statements that have counted, until they would have expired (O2). */
  readonly #used = new Map<string, number>();
  #threshold = 1;

  /** How many signatures a grant or a change needs. */
  get threshold(): number {
    return this.#threshold;
  }

  /** In the order in which they were enrolled. */
  all(): readonly EnrolledKey[] {
    return [...this.#keys.values()];
  }

  /** Those that may sign. */
  active(): ReadonlySet<PublicKey> {
    const keys = this.all().filter(({ revoked }) => revoked === null);
    return new Set(keys.map(({ publicKey }) => publicKey));
  }

  nameOf(publicKey: PublicKey): string | null {
    return this.all().find((key) => key.publicKey === publicKey)?.name ?? null;
  }

  /** Whether the next enrolment is the first one, which nobody can sign. */
  get isFirstUse(): boolean {
    return this.#keys.size === 0;
  }

  /** Why a change would not count at that time, as one sentence, or null when it does. */
  problem(signed: SignedKeyStatement, nowMs: number): string | null {
    const { statement, signatures } = signed;
    const { change } = statement;
    if (statement.expires <= nowMs) return 'The statement has expired; sign it again.';
    if (this.#used.has(statementId(statement))) return 'The statement has been used; sign another.';
    if (statement.expires > nowMs + limits.keyStatementMsMax) {
      return `The statement is good for more than ${limits.keyStatementMsMax / 3_600_000} hours.`;
    }
    const misfit = this.#misfit(change);
    if (misfit !== null || this.isFirstUse) return misfit;
    const signers = signersOf(statement, signatures, this.active());
    if (signers.size >= this.#threshold) return null; // (O1)
    return `${signers.size} of ${this.#threshold} signatures of enrolled keys are there.`;
  }

  apply(event: AuditEvent, { timeMs }: AuditPlace): void {
    if (event.type === resetType) this.#clear();
    if (!changing.has(event.type)) return;
    const { type, ...rest } = event;
    const parsed = signedKeyStatementSchema.safeParse(rest);
    if (!parsed.success || eventTypes[parsed.data.statement.change.type] !== type) return;
    if (this.problem(parsed.data, timeMs) !== null) return; // (O1)
    const { statement } = parsed.data;
    for (const [id, expires] of this.#used) if (expires <= timeMs) this.#used.delete(id);
    this.#used.set(statementId(statement), statement.expires); // (O2)
    this.#take(statement.change, timeMs);
  }

  toJson(): Json {
    const keys = this.all().map((key) => ({ ...key }) as unknown as Json);
    return { threshold: this.#threshold, keys, used: [...this.#used] };
  }

  restore(value: Json | undefined): void {
    this.#clear();
    const parsed = stateSchema.safeParse(value);
    if (!parsed.success) return;
    this.#threshold = parsed.data.threshold;
    for (const key of parsed.data.keys) this.#keys.set(key.name, key);
    for (const [id, expires] of parsed.data.used) this.#used.set(id, expires);
  }

  #clear(): void {
    this.#keys.clear();
    this.#used.clear();
    this.#threshold = 1;
  }

  #take(change: KeyChange, timeMs: number): void {
    if (change.type === 'threshold') this.#threshold = change.threshold;
    if (change.type === 'enroll') {
      const { name, publicKey } = change;
      this.#keys.set(name, { name, publicKey, enrolledAt: timeMs, revoked: null });
    }
    if (change.type === 'revoke') {
      const key = this.#keys.get(change.name);
      if (key === undefined) return;
      const revoked = { at: timeMs, reason: change.reason };
      this.#keys.set(change.name, { ...key, revoked });
    }
  }

  /** Why a change makes no sense now, whoever signs it. */
  #misfit(change: KeyChange): string | null {
    const active = this.active().size;
    if (change.type === 'enroll') {
      const { name, publicKey } = change;
      if (this.#keys.has(name)) return `The name ${name} is taken, also if its key was revoked.`;
      if (this.nameOf(publicKey) !== null) {
        return `The key is enrolled already, as ${this.nameOf(publicKey)}, or was.`; // (O4)
      }
      return this.#keys.size < limits.operatorKeysMax ? null : 'No more keys can be enrolled.';
    }
    if (change.type === 'threshold') {
      const enough = change.threshold <= active; // (O3)
      return enough ? null : `${active} keys are enrolled; ${change.threshold} could never sign.`;
    }
    const key = this.#keys.get(change.name);
    if (key === undefined) return `No key ${change.name} is enrolled.`;
    if (key.revoked !== null) return `The key ${change.name} is revoked already.`;
    if (active - 1 >= this.#threshold) return null; // (O3)
    return `Without ${change.name} there are fewer keys than the threshold ${this.#threshold}; enroll another first or lower the threshold.`;
  }
}
