/**
 * Stops a generation at its first doubtful token. A pure reducer: its whole
 * state is how many tokens it has seen.
 */
import type { GeneratedToken } from './model-port.ts';
import type { TokenDetector } from './token-detector.ts';
import { nameOf } from './token-text.ts';

interface ConfidenceState {
  readonly seen: number;
}

/** In whole percent, rounded down, so that a share below the threshold never reads like it. */
function certainty(confidence: number): string {
  // 0.29 * 100 is 28.999…
  const percent = Math.floor(confidence * 100 + 1e-9);
  return percent === 0 ? 'less than 1 %' : `only ${percent} %`;
}

/**
 * @param minConfidence 0 to 1. A free token below it halts; forced tokens and
 * tokens without a confidence never do.
 */
export function confidenceDetector(minConfidence: number): TokenDetector<ConfidenceState> {
  const asked = Number((minConfidence * 100).toFixed(1));
  return {
    initial: { seen: 0 },
    reduce(state: ConfidenceState, token: GeneratedToken) {
      const { confidence } = token;
      if (token.forced || confidence === null || confidence >= minConfidence) {
        return { halt: null, state: { seen: state.seen + 1 } };
      }
      return {
        halt: {
          detector: 'confidence' as const,
          atToken: state.seen,
          evidence: `The model was ${certainty(confidence)} certain of ${nameOf(token.text)} (token ${state.seen + 1}); ${asked} % is asked for.`,
        },
        state,
      };
    },
  };
}
