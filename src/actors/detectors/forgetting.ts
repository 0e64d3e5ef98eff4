/**
 * Whether an agent has lost its objectives: a pin is no longer in what the model
 * was asked on, or what the pin requires is missing from the answer. Lexical.
 */
import type { Finding } from './finding.ts';

/** An objective as it is asked on: its template rendered. */
export interface Objective {
  readonly text: string;
  /** Words that the answer must have, in any case. */
  readonly words: readonly string[];
}

/** Characters of an objective that evidence quotes. */
const quotedCharacters = 80;

function quoted(text: string): string {
  return text.length <= quotedCharacters ? text : `${text.slice(0, quotedCharacters)}…`;
}

/**
 * @param asked Everything that the model was asked on; null where it cannot have lost any.
 * @param answer The answer as text.
 */
export function forgotten(
  objectives: readonly Objective[],
  asked: string | null,
  answer: string,
): Finding[] {
  const source = 'forgetting';
  const said = answer.toLowerCase();
  return objectives.flatMap(({ text, words }) => {
    if (asked !== null && !asked.includes(text)) {
      return [{ source, evidence: `The model was not told any more: ${quoted(text)}` }];
    }
    const missing = words.filter((word) => !said.includes(word.toLowerCase()));
    if (missing.length === 0) return [];
    const which = missing.map((word) => `"${word}"`).join(', ');
    return [{ source, evidence: `The answer lacks ${which}, of the objective: ${quoted(text)}` }];
  });
}
