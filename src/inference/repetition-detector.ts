/**
 * Stops a generation that runs in a circle: the same sequence of up to 16
 * tokens, several times in a row. A pure reducer in constant time a token.
 *
 * Invariants
 *   R1. `runs[n - 1]` is how many tokens at the end equal the one n places
 *       before them; a sequence of n stands r times in a row exactly when the
 *       run is at least n × (r − 1).
 *   R2. Tokens without text (pieces of a character) are skipped: two of them
 *       look alike and are not.
 *   R3. A sequence without a letter (zeros of an amount, a rule of dashes,
 *       indentation) halts only when it is long as well.
 */
import type { GeneratedToken } from './model-port.ts';
import type { TokenDetector } from './token-detector.ts';
import type { TokenMeasure } from './token-measure.ts';

const sequenceTokensMax = 16;
/** Length from which a repetition without letters counts (R3). */
const letterlessTokensMin = 24;
const evidenceCharactersMax = 80;
const letter = /\p{L}/u;

interface RepetitionState {
  readonly seen: number;
  /** The last texts, at most 16. */
  readonly recent: readonly string[];
  readonly runs: readonly number[];
}

function advance(state: RepetitionState, token: GeneratedToken): RepetitionState {
  if (token.text === '') return { ...state, seen: state.seen + 1 }; // (R2)
  const { recent } = state;
  return {
    seen: state.seen + 1,
    recent: [...recent, token.text].slice(-sequenceTokensMax),
    runs: state.runs.map((run, index) =>
      recent[recent.length - 1 - index] === token.text ? run + 1 : 0,
    ),
  };
}

const initial: RepetitionState = {
  seen: 0,
  recent: [],
  runs: new Array<number>(sequenceTokensMax).fill(0),
};

/** How often in a row a sequence stands that ends with the token. */
export const repetitionMeasure: TokenMeasure<RepetitionState> = {
  initial,
  reduce(before: RepetitionState, token: GeneratedToken) {
    const state = advance(before, token);
    if (token.text === '') return { value: null, state };
    const times = state.runs.map((run, index) =>
      counts(state, index + 1) ? Math.floor(run / (index + 1)) + 1 : 1,
    );
    return { value: Math.max(...times), state };
  },
};

/** @param times How often in a row a sequence may not stand, at least 2. */
export function repetitionDetector(times: number): TokenDetector<RepetitionState> {
  return {
    initial,
    reduce(before: RepetitionState, token: GeneratedToken) {
      const state = advance(before, token);
      const repeated = token.text === '' ? null : repeatedSequence(state, times);
      if (repeated === null) return { halt: null, state };
      return {
        halt: {
          detector: 'repetition' as const,
          atToken: before.seen,
          evidence: `The text ${JSON.stringify(repeated.text.slice(0, evidenceCharactersMax))} stands ${times} times in a row.`,
        },
        state,
        // Its first copy may stay.
        goodTokens: state.seen - repeated.tokens * (times - 1),
      };
    },
  };
}

function repeatedSequence(
  state: RepetitionState,
  times: number,
): { text: string; tokens: number } | null {
  for (let length = 1; length <= sequenceTokensMax; length += 1) {
    const run = state.runs[length - 1] ?? 0;
    if (run < length * (times - 1)) continue; // (R1)
    if (!counts(state, length)) continue;
    return { text: state.recent.slice(-length).join(''), tokens: length };
  }
  return null;
}

function counts(state: RepetitionState, length: number): boolean {
  const text = state.recent.slice(-length).join('');
  return letter.test(text) || (state.runs[length - 1] ?? 0) + length >= letterlessTokensMin; // (R3)
}
