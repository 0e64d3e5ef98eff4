/**
 * Which actors may not go on: a fold of the audit.
 *
 * Invariants
 *   Q1. An actor stays in quarantine until a `quarantine-released` names the
 *       very event that put it there; nothing else, no restart, lets it go.
 *   Q2. Who is in quarantine already is not put there again: the first reason
 *       stands, and its release is enough.
 */
import { z } from 'zod';
import type { ActorId, RunId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import type { AuditEvent, AuditPlace } from './audit-event.ts';
import type { AuditFold } from './audit-fold.ts';

/** Why an actor stands still. */
export interface QuarantineEntry {
  readonly run: RunId;
  readonly actor: ActorId;
  /** Code of the refusal or finding that led to it. */
  readonly code: string;
  readonly message: string;
  /** Sequence of the audit record, which a release has to name. */
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
}

const idText = z.string().min(1).max(300);
const entryShape = {
  run: idText,
  actor: idText,
  code: z.string().max(100),
  message: z.string().max(2_000),
};
const quarantinedSchema = z.object({ type: z.literal('quarantined'), ...entryShape });
const releasedSchema = z.object({
  type: z.literal('quarantine-released'),
  run: idText,
  actor: idText,
  sequence: z.number().int().positive(),
});
const stateSchema = z.array(
  z.strictObject({ ...entryShape, sequence: z.number(), timeMs: z.number() }),
);

export class Quarantine implements AuditFold {
  readonly #entries = new Map<string, QuarantineEntry>();

  apply(event: AuditEvent, { sequence, timeMs }: AuditPlace): void {
    if (event.type === 'quarantined') {
      const parsed = quarantinedSchema.safeParse(event);
      if (!parsed.success) return;
      const { run, actor, code, message } = parsed.data;
      const key = keyOf(run, actor);
      if (this.#entries.has(key)) return; // (Q2)
      const who = { run: run as RunId, actor: actor as ActorId };
      this.#entries.set(key, { ...who, code, message, sequence, timeMs });
    }
    if (event.type === 'quarantine-released') {
      const parsed = releasedSchema.safeParse(event);
      if (!parsed.success) return;
      const key = keyOf(parsed.data.run, parsed.data.actor);
      if (this.#entries.get(key)?.sequence === parsed.data.sequence) this.#entries.delete(key); // (Q1)
    }
  }

  find(run: string, actor: string): QuarantineEntry | undefined {
    return this.#entries.get(keyOf(run, actor));
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Oldest first. */
  all(): readonly QuarantineEntry[] {
    return [...this.#entries.values()];
  }

  toJson(): Json {
    return this.all().map((entry) => ({ ...entry }));
  }

  restore(value: Json | undefined): void {
    this.#entries.clear();
    const parsed = stateSchema.safeParse(value);
    for (const entry of parsed.success ? parsed.data : []) {
      const who = { run: entry.run as RunId, actor: entry.actor as ActorId };
      this.#entries.set(keyOf(entry.run, entry.actor), { ...entry, ...who });
    }
  }
}

/** A run's id has no space. */
function keyOf(run: string, actor: string): string {
  return `${run} ${actor}`;
}
