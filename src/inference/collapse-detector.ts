/**
 * Stops a generation whose entropy has collapsed: token after token without any
 * doubt, and nothing new is said. Certainty alone is no fault, a copy is certain
 * too; a long circle is both.
 *
 * Invariants
 *   C1. A free token is calm when its entropy, or where nobody looked its
 *       surprisal, is at most 0.05 nats. One that is not calm, or of which nothing
 *       is known, ends the row.
 *   C2. A token is stale when it and the two before it stood in the same order
 *       among the last 256 before. A calm one that is not stale takes 3 off the row.
 */
import type { GeneratedToken } from './model-port.ts';
import { surprisalOf } from './surprisal.ts';
import { gramHash } from './text-grams.ts';
import type { TokenDetector } from './token-detector.ts';
import type { TokenMeasure } from './token-measure.ts';

const calmNatsMax = 0.05;
const gramTokens = 3;
const rememberedMax = 256;
const newsCost = 3;
/** Part of the threshold from which the next tokens are looked at closely. */
const stirringPart = 0.5;

/** Shared by all states behind it, so that keeping a state for each token costs little. */
interface Gram {
  readonly hash: number;
  readonly before: Gram | null;
}

interface CollapseState {
  readonly seen: number;
  readonly texts: readonly string[];
  readonly grams: Gram | null;
  readonly row: number;
  /** Token at which the row began. */
  readonly since: number;
}

function isRemembered(grams: Gram | null, hash: number): boolean {
  let gram = grams;
  for (let count = 0; gram !== null && count < rememberedMax; count += 1) {
    if (gram.hash === hash) return true;
    gram = gram.before;
  }
  return false;
}

function isCalm(token: GeneratedToken): boolean {
  const nats = token.entropy ?? surprisalOf(token);
  return nats !== null && nats <= calmNatsMax; // (C1)
}

function rowAfter(state: CollapseState, token: GeneratedToken, stale: boolean): number {
  if (token.forced) return state.row;
  if (!isCalm(token)) return 0;
  return stale ? state.row + 1 : Math.max(0, state.row - newsCost); // (C2)
}

/** How many calm and stale tokens stand in a row. */
export const collapseMeasure: TokenMeasure<CollapseState> = {
  initial: { seen: 0, texts: [], grams: null, row: 0, since: 0 },
  reduce(state: CollapseState, token: GeneratedToken) {
    const seen = state.seen + 1;
    // A piece of a character says nothing yet.
    if (token.text === '') return { value: null, state: { ...state, seen } };
    const texts = [...state.texts, token.text].slice(-gramTokens);
    const hash = gramHash(texts.join('\0'));
    const row = rowAfter(state, token, isRemembered(state.grams, hash));
    const since = state.row === 0 ? state.seen : state.since;
    return {
      value: row === 0 ? null : row,
      state: { seen, texts, grams: { hash, before: state.grams }, row, since },
    };
  },
};

/** @param tokens How many in a row stop the generation, at least 4. */
export function collapseDetector(tokens: number): TokenDetector<CollapseState> {
  return {
    initial: collapseMeasure.initial,
    reduce(before: CollapseState, token: GeneratedToken) {
      const { value, state } = collapseMeasure.reduce(before, token);
      if (value === null || value < tokens) {
        return { halt: null, state, stirs: value !== null && value >= tokens * stirringPart };
      }
      return {
        halt: {
          detector: 'collapse' as const,
          atToken: before.seen,
          evidence: `${value} tokens in a row came without doubt and said nothing new (up to token ${before.seen + 1}).`,
        },
        state,
        goodTokens: state.since,
      };
    },
  };
}
