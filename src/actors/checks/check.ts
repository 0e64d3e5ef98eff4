/**
 * A check verifies an answer in code. It is pure: same input, same verdict, in
 * the run and in every replay.
 */
import type { Json, JsonObject } from '../../kernel/json.ts';
import type { StepResult } from '../step-result.ts';

export interface CheckInput {
  /** The answer so far; JSON for an agent with an output schema, else its text. */
  readonly output: Json;
  /** Text of the document; empty for a step over all documents. */
  readonly document: string;
  /** Results of the steps before, by step id. */
  readonly steps: Readonly<Record<string, StepResult>>;
  /** The element of the list that the agent works on, or null. */
  readonly each: Json;
  /** Smallest token probability of the answer, or null where the model tells none. */
  readonly confidence: number | null;
  /** `with:` of the pipeline file. */
  readonly parameters: JsonObject;
}

export interface CheckOutput {
  /** The answer, possibly with doubtful parts removed or facts added. */
  readonly output: Json;
  /** One sentence for each doubt; any doubt flags the answer. */
  readonly reasons: readonly string[];
  /** Asking again with grounding could help; otherwise a retry is a waste. */
  readonly retry?: boolean;
}

export type Check = (input: CheckInput) => CheckOutput;
