/**
 * What a detector compares with its threshold, token by token, apart from the
 * threshold. Past generations are measured again with the same reducers, so that
 * a threshold chosen from them means to the detector what it meant there.
 *
 * Invariants
 *   T1. A measure is a pure reducer: no clock, no chance, nothing kept outside its state.
 */
import type { GeneratedToken } from './model-port.ts';

export interface Measured<State> {
  /** Null where the token says nothing. The larger, the more doubtful. */
  readonly value: number | null;
  readonly state: State;
}

/** A pure reducer over tokens (T1). */
export interface TokenMeasure<State> {
  readonly initial: State;
  reduce(state: State, token: GeneratedToken): Measured<State>;
}

/** The largest value of a generation and the first token that has it, or null where there is none. */
export function peakOf<State>(
  { initial, reduce }: TokenMeasure<State>,
  tokens: readonly GeneratedToken[],
): { readonly value: number; readonly atToken: number } | null {
  let state = initial;
  let peak: { value: number; atToken: number } | null = null;
  for (const [atToken, token] of tokens.entries()) {
    const step = reduce(state, token);
    state = step.state;
    if (step.value !== null && step.value > (peak?.value ?? Number.NEGATIVE_INFINITY)) {
      peak = { value: step.value, atToken };
    }
  }
  return peak;
}
