/**
 * Which key the authority of this data directory has, and since when there is
 * one: what began earlier was never sealed.
 */
import { z } from 'zod';
import type { Json } from '../kernel/json.ts';
import type { AuditEvent, AuditPlace } from './audit-event.ts';
import type { AuditFold } from './audit-fold.ts';

const openedSchema = z.object({ publicKey: z.string().length(43) });
const stateSchema = z.strictObject({
  publicKey: z.string().nullable(),
  sinceMs: z.number().nullable(),
});

export class AuthorityEpoch implements AuditFold {
  #publicKey: string | null = null;
  #sinceMs: number | null = null;

  /** The last key; null before the first. */
  get publicKey(): string | null {
    return this.#publicKey;
  }

  /** Milliseconds since the epoch; null while there is none. */
  get sinceMs(): number | null {
    return this.#sinceMs;
  }

  apply(event: AuditEvent, { timeMs }: AuditPlace): void {
    if (event.type !== 'authority-opened') return;
    const parsed = openedSchema.safeParse(event);
    if (!parsed.success) return;
    this.#publicKey = parsed.data.publicKey;
    this.#sinceMs ??= timeMs;
  }

  toJson(): Json {
    return { publicKey: this.#publicKey, sinceMs: this.#sinceMs };
  }

  restore(value: Json | undefined): void {
    const parsed = stateSchema.safeParse(value);
    this.#publicKey = parsed.success ? parsed.data.publicKey : null;
    this.#sinceMs = parsed.success ? parsed.data.sinceMs : null;
  }
}
