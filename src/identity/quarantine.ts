/**
 * Which actors may not go on: a fold of the audit.
 *
 * Invariants
 *   Q1. An actor stays in quarantine until as many operators as the threshold
 *       says sign a release for the very event that put it there; nothing
 *       else, no restart, lets it go. The fold checks the signatures itself.
 *   Q2. Who is in quarantine already is not put there again: the first reason
 *       stands, and its release is enough.
 */
import { z } from 'zod';
import type { ActorId, RunId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { AuditEvent, AuditPlace } from './audit-event.ts';
import type { AuditFold } from './audit-fold.ts';
import type { OperatorKeys } from './operator-keys.ts';
import { signersOf } from './operator-signature.ts';
import { type SignedRelease, signedReleaseSchema } from './quarantine-release.ts';

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
const stateSchema = z.array(
  z.strictObject({ ...entryShape, sequence: z.number(), timeMs: z.number() }),
);

export class Quarantine implements AuditFold {
  readonly #entries = new Map<string, QuarantineEntry>();
  readonly #operators: Pick<OperatorKeys, 'active' | 'threshold'>;

  constructor(operators: Pick<OperatorKeys, 'active' | 'threshold'>) {
    this.#operators = operators;
  }

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
      const { type: _type, ...signed } = event;
      const parsed = signedReleaseSchema.safeParse(signed);
      if (!parsed.success || this.problem(parsed.data, timeMs) !== null) return; // (Q1)
      const { run, actor } = parsed.data.statement;
      this.#entries.delete(keyOf(run, actor));
    }
  }

  /** Why a release does not count at that time, as one sentence, or null when it does (Q1). */
  problem({ statement, signatures }: SignedRelease, nowMs: number): string | null {
    const { run, actor, sequence, expires } = statement;
    const entry = this.find(run, actor);
    if (entry === undefined) return `${actor} of the run ${run} is not in quarantine.`;
    if (entry.sequence !== sequence)
      return `It is in quarantine since ${entry.sequence}, not ${sequence}.`;
    if (expires <= nowMs) return 'The release has expired; sign it again.';
    if (expires > nowMs + limits.keyStatementMsMax) return 'The release is good for too long.';
    const signers = signersOf(statement, signatures, this.#operators.active());
    if (signers.size >= this.#operators.threshold) return null;
    return `${signers.size} of ${this.#operators.threshold} signatures of enrolled keys are there; claw key enroll makes you an operator.`;
  }

  find(run: string, actor: string): QuarantineEntry | undefined {
    return this.#entries.get(keyOf(run, actor));
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Whether an actor of the run is in quarantine. */
  hasOf(run: string): boolean {
    return this.all().some((entry) => entry.run === run);
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
