import type { CheckInput } from '../../../src/actors/checks/check.ts';

/** A check's input with everything that the case does not speak of left empty. */
export function inputOf(given: Partial<CheckInput>): CheckInput {
  return {
    output: null,
    document: '',
    steps: {},
    each: null,
    confidence: 0.9,
    parameters: {},
    ...given,
  };
}
