/**
 * Stops a JSON answer whose structure does not get on: white space without end, a
 * string or a number that grows and grows, a list of texts that never closes.
 *
 * Invariants
 *   J1. A bracket that opens or closes and a member that begins are progress; a
 *       piece of a text, white space and another text or number of a list are none.
 *       A list of objects that never ends makes progress by this measure.
 */
import { type JsonStructure, jsonBegin, jsonStep } from './json-structure.ts';
import type { GeneratedToken } from './model-port.ts';
import type { TokenDetector } from './token-detector.ts';
import type { TokenMeasure } from './token-measure.ts';

interface StallState {
  readonly seen: number;
  readonly at: JsonStructure;
  /** Tokens up to the last that made progress. */
  readonly progressed: number;
}

/** How many tokens came since the last progress (J1). */
export const stallMeasure: TokenMeasure<StallState> = {
  initial: { seen: 0, at: jsonBegin, progressed: 0 },
  reduce(state: StallState, token: GeneratedToken) {
    const seen = state.seen + 1;
    let { at, progressed } = state;
    for (const character of token.text) {
      const step = jsonStep(at, character);
      at = step.at;
      if (step.progress) progressed = seen;
    }
    return { value: seen - progressed, state: { seen, at, progressed } };
  },
};

/** @param tokens How many without progress stop the generation, at least 4. */
export function stallDetector(tokens: number): TokenDetector<StallState> {
  return {
    initial: stallMeasure.initial,
    reduce(before: StallState, token: GeneratedToken) {
      const { value, state } = stallMeasure.reduce(before, token);
      if (value === null || value < tokens) return { halt: null, state };
      const where = state.at.inString ? 'a text grows' : 'nothing opens, closes or begins';
      return {
        halt: {
          detector: 'stall' as const,
          atToken: before.seen,
          evidence: `The JSON does not get on: ${where} for ${value} tokens (up to token ${before.seen + 1}).`,
        },
        state,
        goodTokens: state.progressed,
      };
    },
  };
}
