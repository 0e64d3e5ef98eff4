import type { Json } from '../kernel/json.ts';
import type { Handover } from './handover.ts';
import type { Validation } from './validation.ts';

/** What one step made of one document, as later steps and templates see it. */
export interface StepResult {
  /**
   * accepted: passed the detectors and every check.
   * flagged: an answer exists, but a check doubts it; a human should look.
   * escalated: given up after the last retry; a human has to do it.
   * skipped: a needed step was escalated.
   */
  readonly verdict: 'accepted' | 'flagged' | 'escalated' | 'skipped';
  readonly output: Json;
  /** Why it is not accepted, one sentence each; empty when accepted. */
  readonly reasons: readonly string[];
  /** Smallest probability of any free token of the answer, 0 to 1; null when the model tells none. */
  readonly confidence: number | null;
  /** Generations that it took, the first one included. */
  readonly attempts: number;
  /** The technical failure behind an escalated result, where there is one. */
  readonly error?: { readonly code: string; readonly message: string };
  /** What the examination of its answers took and found; of an agent with `validate` only. */
  readonly validation?: Validation;
  /** For a step that goes on from this one. */
  readonly handover?: Handover;
  /** Highest label of what it was made of; only where the pipeline has labels. */
  readonly label?: string;
}
