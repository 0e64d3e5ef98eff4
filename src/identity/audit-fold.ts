/**
 * A view of the audit events: who is enrolled, what is granted, who is in
 * quarantine. Threads that decide by it are sent each event once it is durable.
 *
 * Invariants
 *   F1. A fold depends on the events alone, in their order, so that every
 *       thread and every start comes to the same.
 *   F2. An event that does not fit what came before changes nothing: beginnings
 *       of the journal may be gone, and `security-state` then says what they
 *       had come to.
 */
import type { Json, JsonObject } from '../kernel/json.ts';
import type { AuditEvent, AuditPlace } from './audit-event.ts';

export interface AuditFold {
  /** Takes in an event of a type that it knows; any other changes nothing. */
  apply(event: AuditEvent, place: AuditPlace): void;
  /** What it has come to, to go on from. */
  toJson(): Json;
  /** Goes on from what `toJson` gave; anything else empties it. */
  restore(value: Json | undefined): void;
}

/** Type of the event that stands for all before it. */
const stateType = 'security-state';

/** Several folds as one. */
export class AuditFolds<Folds extends Readonly<Record<string, AuditFold>>> {
  readonly folds: Folds;
  #first: number | null = null;

  constructor(folds: Folds) {
    this.folds = folds;
  }

  /** Sequence of the first event that it took in; null before. */
  get first(): number | null {
    return this.#first;
  }

  apply(event: AuditEvent, place: AuditPlace): void {
    this.#first ??= place.sequence;
    for (const [name, fold] of Object.entries(this.folds)) {
      if (event.type === stateType) fold.restore((event.state as JsonObject | undefined)?.[name]);
      else fold.apply(event, place);
    }
  }

  /** An event that stands for all that came before (F2). */
  stateEvent(): AuditEvent {
    const state = Object.entries(this.folds).map(([name, fold]) => [name, fold.toJson()]);
    return { type: stateType, state: Object.fromEntries(state) };
  }
}
