/**
 * Stops a generation at its first doubtful token. A pure reducer: its whole
 * state is how many tokens it has seen.
 */
import type { GeneratedToken } from './model-port.ts';
import type { TokenDetector } from './token-detector.ts';

interface ConfidenceState {
  readonly seen: number;
}

/**
 * @param minConfidence 0 to 1. A free token below it halts; forced tokens and
 * tokens without a confidence never do.
 */
export function confidenceDetector(minConfidence: number): TokenDetector<ConfidenceState> {
  return {
    initial: { seen: 0 },
    reduce(state: ConfidenceState, token: GeneratedToken) {
      const { confidence } = token;
      if (token.forced || confidence === null || confidence >= minConfidence) {
        return { halt: null, state: { seen: state.seen + 1 } };
      }
      const what = token.text === '' ? 'the end of the answer' : JSON.stringify(token.text);
      return {
        halt: {
          detector: 'confidence' as const,
          atToken: state.seen,
          evidence: `Token ${state.seen + 1}, ${what}, has probability ${confidence.toFixed(3)}, below ${minConfidence}.`,
        },
        state,
      };
    },
  };
}
