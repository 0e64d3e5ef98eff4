/**
 * A pattern of examination: whom it asks, stage by stage, and what that comes to.
 * Pure functions of what was said so far.
 *
 * Invariants
 *   T1. What a stage asks depends on the stages before it alone, so that the
 *       order in which the answers of one stage arrive changes nothing.
 *   T2. The stages are bounded by the settings, and those by limits.
 */
import type { Json, JsonObject } from '../../kernel/json.ts';
import type { AgentDefinition } from '../pipeline-definition.ts';
import type { ValidateDefinition } from '../validate-definition.ts';

/** What one seat said in one stage. */
export interface Statement {
  readonly stage: number;
  readonly seat: number;
  /** Name of an agent, or `program`. */
  readonly speaker: string;
  readonly output: Json;
  /** Whether there is an answer at all. */
  readonly answered: boolean;
  /** Doubts of the speaker's own checks, or why there is no answer. */
  readonly reasons: readonly string[];
}

/** What is examined. */
export interface Matter {
  readonly question: string;
  readonly answer: Json;
  readonly each: Json;
  /** Name of the agent whose answer it is. */
  readonly proposer: string;
  readonly agent: AgentDefinition;
}

/** Somebody to ask in the present stage; their place in the list is their seat. */
export type Ask =
  /** The same question to the same agent. */
  | { readonly kind: 'again'; readonly temperature: number }
  /** Another agent, whose prompt reads these variables besides those of the step. */
  | { readonly kind: 'agent'; readonly name: string; readonly variables: JsonObject }
  /** A program in the sandbox, and what another agent wrote for it, or null. */
  | { readonly kind: 'program'; readonly source: string; readonly written: Json };

/** What the examination came to. */
export interface Findings {
  /** The answer that stands, or the one at hand. */
  readonly output: Json;
  readonly reasons: readonly string[];
  readonly evidence: readonly string[];
}

export interface Pattern<Settings extends ValidateDefinition> {
  /** Whom the stage asks, all at once; nobody when it is over. */
  asks(
    stage: number,
    matter: Matter,
    said: readonly Statement[],
    settings: Settings,
  ): readonly Ask[];
  findings(matter: Matter, said: readonly Statement[], settings: Settings): Findings;
}
