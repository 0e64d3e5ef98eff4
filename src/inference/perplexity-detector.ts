/**
 * Stops a generation that drifts: its last free tokens together were too
 * surprising, though no single one need be.
 *
 * Invariants
 *   W1. The window is the last 12 free tokens whose probability is known; before
 *       there are as many, nothing is said.
 */
import type { GeneratedToken } from './model-port.ts';
import { surprisalOf } from './surprisal.ts';
import type { TokenDetector } from './token-detector.ts';
import type { TokenMeasure } from './token-measure.ts';

const windowTokens = 12;

interface PerplexityState {
  readonly seen: number;
  /** Of the window, the oldest first. */
  readonly last: readonly { readonly atToken: number; readonly nats: number }[];
}

/** The perplexity of the window: how many equally likely tokens each choice was among, from 1. */
export const perplexityMeasure: TokenMeasure<PerplexityState> = {
  initial: { seen: 0, last: [] },
  reduce({ seen, last }: PerplexityState, token: GeneratedToken) {
    const nats = surprisalOf(token);
    if (nats === null) return { value: null, state: { seen: seen + 1, last } };
    const window = [...last, { atToken: seen, nats }].slice(-windowTokens);
    const sum = window.reduce((total, each) => total + each.nats, 0);
    return {
      value: window.length < windowTokens ? null : Math.exp(sum / windowTokens), // (W1)
      state: { seen: seen + 1, last: window },
    };
  },
};

/** @param limit Perplexity of the window that stops the generation, above 1. */
export function perplexityDetector(limit: number): TokenDetector<PerplexityState> {
  return {
    initial: perplexityMeasure.initial,
    reduce(before: PerplexityState, token: GeneratedToken) {
      const { value, state } = perplexityMeasure.reduce(before, token);
      if (value === null || value < limit) {
        return { halt: null, state, stirs: value !== null && value >= Math.sqrt(limit) };
      }
      return {
        halt: {
          detector: 'perplexity' as const,
          atToken: before.seen,
          evidence: `The last ${windowTokens} free tokens have a perplexity of ${value.toFixed(1)} (token ${before.seen + 1}); ${limit} is the limit.`,
        },
        state,
        goodTokens: state.last[0]?.atToken ?? before.seen,
      };
    },
  };
}
