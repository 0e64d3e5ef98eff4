/**
 * Stops a generation that says the same sentence again and again with another
 * number or another word: a circle that no exact comparison sees. It compares
 * words, not meaning; the same said in other words passes.
 *
 * Invariants
 *   Q1. A sentence ends at a line break, or at a full stop, question or exclamation
 *       mark that white space follows. Those of fewer than 4 words are passed over.
 *   Q2. Two sentences are alike when their words, and pairs of words, agree in
 *       three quarters; every number counts as the same word.
 */
import type { GeneratedToken } from './model-port.ts';
import { likeness, plainWords, wordGrams } from './text-grams.ts';
import type { TokenDetector } from './token-detector.ts';
import type { TokenMeasure } from './token-measure.ts';

/** Sentences that one is compared with. */
const rememberedMax = 8;
const wordsMin = 4;
const likenessMin = 0.75;
const evidenceCharactersMax = 80;
const sentenceEnd = /[.!?](?=\s)|\n/;

interface Sentence {
  readonly text: string;
  readonly grams: ReadonlySet<number>;
  /** Tokens of the answer up to its end. */
  readonly tokens: number;
}

interface NearRepetitionState {
  readonly seen: number;
  /** What came after the last sentence. */
  readonly begun: string;
  readonly sentences: readonly Sentence[];
}

function takeSentence(
  state: NearRepetitionState,
  text: string,
): { state: NearRepetitionState; alike: readonly Sentence[] } {
  const words = plainWords(text);
  if (words.length < wordsMin) return { state, alike: [] }; // (Q1)
  const grams = wordGrams(words);
  const alike = state.sentences.filter((each) => likeness(each.grams, grams) >= likenessMin); // (Q2)
  const sentence = { text, grams, tokens: state.seen };
  const sentences = [...state.sentences, sentence].slice(-rememberedMax);
  return { state: { ...state, sentences }, alike: [...alike, sentence] };
}

/** The sentences that ended with this token, each with those like it, the oldest first. */
function take(before: NearRepetitionState, token: GeneratedToken) {
  let state: NearRepetitionState = { ...before, seen: before.seen + 1 };
  let most: readonly Sentence[] = [];
  let rest = before.begun + token.text;
  for (let end = sentenceEnd.exec(rest); end !== null; end = sentenceEnd.exec(rest)) {
    const taken = takeSentence(state, rest.slice(0, end.index + 1).trim());
    state = taken.state;
    if (taken.alike.length > most.length) most = taken.alike;
    rest = rest.slice(end.index + 1);
  }
  return { state: { ...state, begun: rest }, alike: most };
}

const initial: NearRepetitionState = { seen: 0, begun: '', sentences: [] };

/** How many of the last sentences are like the one that ended, itself included. */
export const nearRepetitionMeasure: TokenMeasure<NearRepetitionState> = {
  initial,
  reduce(before: NearRepetitionState, token: GeneratedToken) {
    const { state, alike } = take(before, token);
    return { value: alike.length === 0 ? null : alike.length, state };
  },
};

/** @param times How many sentences may not be alike, 2 to 9. */
export function nearRepetitionDetector(times: number): TokenDetector<NearRepetitionState> {
  return {
    initial,
    reduce(before: NearRepetitionState, token: GeneratedToken) {
      const { state, alike } = take(before, token);
      const [first] = alike;
      if (first === undefined || alike.length < times) {
        return { halt: null, state, stirs: alike.length === times - 1 && times > 2 };
      }
      const said = first.text.slice(0, evidenceCharactersMax);
      return {
        halt: {
          detector: 'near-repetition' as const,
          atToken: before.seen,
          evidence: `${alike.length} of the last sentences are nearly the same as ${JSON.stringify(said)}.`,
        },
        state,
        goodTokens: first.tokens,
      };
    },
  };
}
