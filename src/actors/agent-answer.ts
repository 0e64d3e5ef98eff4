/** Answers of one agent to the elements of its step, and the result that they add up to. */
import type { Json } from '../kernel/json.ts';
import type { Handover } from './handover.ts';
import type { Judgement } from './judge.ts';
import type { StepResult } from './step-result.ts';
import { sumOfValidations, type Validation } from './validation.ts';

export interface Answer {
  readonly output: Json;
  readonly answered: boolean;
  readonly reasons: readonly string[];
  readonly confidence: number | null;
  readonly attempts: number;
  /** Of an agent with `validate`. */
  readonly validation?: Validation;
  /** Where another step goes on from it. */
  readonly handover?: Handover;
}

export function answerFrom(
  judgement: Judgement,
  attempts: number,
  more: readonly string[] = [],
): Answer {
  return {
    output: judgement.output,
    answered: judgement.answered,
    reasons: [...judgement.reasons, ...more],
    confidence: judgement.confidence,
    attempts,
  };
}

function verdictOf(answers: readonly Answer[]): StepResult['verdict'] {
  if (answers.some((answer) => !answer.answered)) return 'escalated';
  return answers.some((answer) => answer.reasons.length > 0) ? 'flagged' : 'accepted';
}

function leastConfidence(answers: readonly Answer[]): number | null {
  const known = answers.flatMap((answer) =>
    answer.confidence === null ? [] : [answer.confidence],
  );
  return known.length === 0 ? null : Math.min(...known);
}

/** `list` is true for a step with `each`: its output is the list of answers. */
export function resultOf(answers: readonly Answer[], list: boolean): StepResult {
  const outputs = answers.map((answer) => answer.output);
  const validation = sumOfValidations(answers.flatMap((answer) => answer.validation ?? []));
  return {
    verdict: verdictOf(answers),
    output: list ? outputs : (outputs[0] ?? null),
    // The same doubt about two elements is one for a person.
    reasons: [...new Set(answers.flatMap((answer) => answer.reasons))],
    confidence: leastConfidence(answers),
    attempts: answers.reduce((sum, answer) => sum + answer.attempts, 0),
    ...(validation === null ? {} : { validation }),
    ...(list || answers[0]?.handover === undefined ? {} : { handover: answers[0].handover }),
  };
}
