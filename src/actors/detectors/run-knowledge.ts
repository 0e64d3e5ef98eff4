/**
 * What the run itself knows for sure, behind the port that its detectors ask. A
 * store with more of it is another implementation of the port.
 */
import type { Json } from '../../kernel/json.ts';
import { matterOf } from '../message-parts.ts';
import { sentencesOf } from '../sentences.ts';
import { stems } from '../stems.ts';
import type { StepResult } from '../step-result.ts';

/** One sentence, and whose it is. */
export interface KnownFact {
  readonly text: string;
  /** For people: `the document`, or `the step ID`. */
  readonly origin: string;
}

/** The port: where detectors learn what an answer can be held against. */
export interface GroundedFacts {
  /** The sentence that says most of what `statement` speaks of, or null when none speaks of it. */
  about(statement: string): KnownFact | null;
  /** Whether a word or number stands anywhere in what is known. */
  mentions(text: string): boolean;
}

/** Words that a fact and a statement must share before one can speak of the other. */
const sharedMin = 2;
/** Sentences of earlier results in one grounding. */
const resultsMax = 3;
/** Of the words of the statement, at least this part must be shared. */
const sharedPartMin = 0.5;

/** Texts of a value, with each of an object or list by itself. */
export function textsOf(value: Json): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap((inner) => textsOf(inner as Json));
}

/** The sentences of outputs that were accepted. */
function verifiedFacts(steps: Readonly<Record<string, StepResult>>): KnownFact[] {
  return Object.entries(steps).flatMap(([step, { verdict, output }]) =>
    verdict === 'accepted'
      ? textsOf(output)
          .flatMap(sentencesOf)
          .map((text) => ({ text, origin: `the step ${step}` }))
      : [],
  );
}

/**
 * Of the accepted outputs of earlier steps, the sentences that share most words with a question,
 * in their order, joined by spaces; empty when none shares any.
 */
export function relevantResults(
  steps: Readonly<Record<string, StepResult>>,
  question: string,
): string {
  const asked = stems(question);
  return verifiedFacts(steps)
    .map(({ text }, index) => {
      const shared = [...stems(text)].filter((stem) => asked.has(stem)).length;
      return { text, index, shared };
    })
    .filter(({ shared }) => shared > 0)
    .toSorted((one, other) => other.shared - one.shared || one.index - other.index)
    .slice(0, resultsMax)
    .toSorted((one, other) => one.index - other.index)
    .map(({ text }) => text)
    .join(' ');
}

/** The document, and the outputs of earlier steps that were accepted. */
export function runKnowledge(
  document: string,
  steps: Readonly<Record<string, StepResult>>,
): GroundedFacts {
  const own = matterOf(document).map((text) => ({ text, origin: 'the document' }));
  const verified = verifiedFacts(steps);
  const facts = [...own, ...verified].map((fact) => ({ fact, words: stems(fact.text) }));
  const everything = [document, ...verified.map(({ text }) => text)].join('\n').toLowerCase();
  return {
    about(statement) {
      const words = wordsOnly(statement);
      let best: KnownFact | null = null;
      let most = sharedMin - 1;
      for (const { fact, words: known } of facts) {
        const shared = words.filter((word) => known.has(word)).length;
        if (shared <= most || shared < words.length * sharedPartMin) continue;
        most = shared;
        best = fact;
      }
      return best;
    },
    mentions: (text) => standsIn(everything, text.toLowerCase()),
  };
}

/** As a whole word or number: neither `5 EUR` nor `345 EUR` stands in `12,345 EUR`. */
function standsIn(whole: string, part: string): boolean {
  for (let at = whole.indexOf(part); at !== -1; at = whole.indexOf(part, at + 1)) {
    const before = whole.slice(Math.max(0, at - 2), at);
    const after = whole.slice(at + part.length, at + part.length + 2);
    if (!/[\p{L}\d]$|\d[.,]$/u.test(before) && !/^[\p{L}\d]|^[.,]\d/u.test(after)) return true;
  }
  return false;
}

/** Without numbers, which are what may be wrong. */
function wordsOnly(statement: string): string[] {
  return [...stems(statement)].filter((word) => !/\d/.test(word));
}
