/** What the examination of answers took and found, as the result of a step shows it. */
import { limits } from '../kernel/limits.ts';
import type { ValidatePattern } from './validate-definition.ts';

export interface Validation {
  readonly pattern: ValidatePattern;
  /** Answers that were examined, doubted ones included. */
  readonly panels: number;
  /** Generations of the panels, which `attempts` does not count, and their tokens. */
  readonly generations: number;
  readonly promptTokens: number;
  readonly answerTokens: number;
  /** Programs that ran in the sandbox. */
  readonly programs: number;
  /** What was found of each answer that stayed, one line each: votes, words, results. */
  readonly evidence: readonly string[];
}

/** Costs of both; the evidence is that of the later one, which examined a later attempt. */
export function afterAnother(before: Validation | null | undefined, now: Validation): Validation {
  return before === null || before === undefined
    ? now
    : { ...added(before, now), evidence: now.evidence };
}

/** Over the elements of a step; null where there are none. */
export function sumOfValidations(validations: readonly Validation[]): Validation | null {
  const [first, ...rest] = validations;
  if (first === undefined) return null;
  return rest.reduce((sum, each) => {
    const evidence = [...new Set([...sum.evidence, ...each.evidence])];
    return { ...added(sum, each), evidence: evidence.slice(0, limits.evidenceLinesMax) };
  }, first);
}

function added(one: Validation, other: Validation): Omit<Validation, 'evidence'> {
  return {
    pattern: other.pattern,
    panels: one.panels + other.panels,
    generations: one.generations + other.generations,
    promptTokens: one.promptTokens + other.promptTokens,
    answerTokens: one.answerTokens + other.answerTokens,
    programs: one.programs + other.programs,
  };
}
