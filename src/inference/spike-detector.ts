/**
 * Stops a generation where its uncertainty leaps: a token that is far more
 * surprising than those before it, or a place where several are nearly as likely.
 *
 * Invariants
 *   P1. A surprisal is compared with the mean surprisal of the free tokens before
 *       it, an entropy with the mean of the entropies that were looked at.
 *   P2. A mean of fewer than 4 tokens is taken as if calm ones stood before: the
 *       first token is compared with something too.
 *   P3. An entropy counts only with a small margin: many unlikely tokens behind a
 *       clear first are no doubt.
 */
import type { GeneratedToken } from './model-port.ts';
import { surprisalOf } from './surprisal.ts';
import type { TokenDetector } from './token-detector.ts';
import type { TokenMeasure } from './token-measure.ts';
import { nameOf } from './token-text.ts';

const tokensMin = 4;
/** Probability between the first and the second token up to which the place is undecided. */
const marginMax = 0.3;
/** Part of the threshold from which the next tokens are looked at closely. */
const stirringPart = 0.5;

interface Sum {
  readonly nats: number;
  readonly tokens: number;
}

interface SpikeState {
  readonly seen: number;
  readonly surprisal: Sum;
  readonly entropy: Sum;
}

const nothing: Sum = { nats: 0, tokens: 0 };

function above(sum: Sum, nats: number): number {
  return nats - sum.nats / Math.max(sum.tokens, tokensMin); // (P2)
}

function plus(sum: Sum, nats: number | null): Sum {
  return nats === null ? sum : { nats: sum.nats + nats, tokens: sum.tokens + 1 };
}

/** How many nats a token stands above the mean of those before it. */
export const spikeMeasure: TokenMeasure<SpikeState> = {
  initial: { seen: 0, surprisal: nothing, entropy: nothing },
  reduce(state: SpikeState, token: GeneratedToken) {
    const surprisal = surprisalOf(token);
    const entropy = token.forced ? null : token.entropy;
    const undecided = token.margin !== null && token.margin <= marginMax; // (P3)
    const values = [
      ...(surprisal === null ? [] : [above(state.surprisal, surprisal)]), // (P1)
      ...(entropy === null || !undecided ? [] : [above(state.entropy, entropy)]),
    ];
    return {
      value: values.length === 0 ? null : Math.max(...values),
      state: {
        seen: state.seen + 1,
        surprisal: plus(state.surprisal, surprisal),
        entropy: plus(state.entropy, entropy),
      },
    };
  },
};

/** @param nats How far above the mean a token may stand, above 0. */
export function spikeDetector(nats: number): TokenDetector<SpikeState> {
  return {
    initial: spikeMeasure.initial,
    reduce(before: SpikeState, token: GeneratedToken) {
      const { value, state } = spikeMeasure.reduce(before, token);
      if (value === null || value < nats) {
        return { halt: null, state, stirs: value !== null && value >= nats * stirringPart };
      }
      return {
        halt: {
          detector: 'spike' as const,
          atToken: before.seen,
          evidence: `The model was suddenly uncertain at ${nameOf(token.text)} (token ${before.seen + 1}): ${value.toFixed(1)} nats above the mean of the answer; ${nats} is the limit.`,
        },
        state,
      };
    },
  };
}
