/**
 * Whether an answer says something else than what the run knows: other numbers,
 * amounts, dates, times or names than the sentence that speaks of the same
 * matter, or its denial.
 *
 * It is lexical. It compares a statement with the one known sentence that shares
 * most of its words, and only what both name in the same kind. It sees neither
 * paraphrase nor arithmetic, and no opinion is no approval.
 *
 * Invariants
 *   D1. What stands anywhere in what is known is not contradicted.
 *   D2. Evidence quotes both sides.
 */
import type { Json } from '../../kernel/json.ts';
import { sentencesOf } from '../sentences.ts';
import { stems } from '../stems.ts';
import type { Finding } from './finding.ts';
import { type Quantity, quantitiesOf, sameQuantity } from './quantities.ts';
import { type GroundedFacts, type KnownFact, textsOf } from './run-knowledge.ts';

/** Statements of one answer that are looked at. */
const statementsMax = 64;
/** Findings of one answer; a person needs no more to look. */
const findingsMax = 4;
/** Of the words of a statement, so many must stand in a fact before its denial is one of it. */
const denialPartMin = 0.6;

const denial = /\b(?:not|no|never|none|cannot|nobody|nothing|neither|without)\b|n['’]t\b/i;
const name = /(?<=[\p{L}\d,;:)]\s)\p{Lu}[\p{L}'’-]{2,}(?:\s\p{Lu}[\p{L}'’-]+)*/gu;
/** Capitalized, and nobody's name. */
const noNames =
  /^(?:(?:January|February|March|April|May|June|July|August|September|October|November|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|EUR|USD|GBP|The|This|That)\b\s?)+/;

function finding(said: string, { origin, text }: KnownFact): Finding {
  return { source: 'contradiction', evidence: `The answer says ${said}; ${origin} says: ${text}` }; // (D2)
}

/** A quantity of the statement that the fact names with another value. */
function otherQuantity(statement: string, fact: KnownFact, facts: GroundedFacts): Quantity | null {
  const known = quantitiesOf(fact.text);
  for (const said of quantitiesOf(statement)) {
    const comparable = known.filter(({ kind, of }) => kind === said.kind && of === said.of);
    if (comparable.length === 0) continue;
    if (comparable.some((each) => sameQuantity(each, said))) continue;
    if (!facts.mentions(said.text)) return said; // (D1)
  }
  return null;
}

/** Capitalized words that stand for somebody or something; not the first of a sentence. */
export function namesOf(sentence: string): string[] {
  const found = sentence.match(name) ?? [];
  return found.map((each) => each.replace(noNames, '')).filter((each) => each !== '');
}

/** A name that nobody knows, where the fact has another that the statement lacks. */
function otherName(statement: string, fact: KnownFact, facts: GroundedFacts): string | null {
  const said = namesOf(statement).find((each) => !facts.mentions(each)); // (D1)
  if (said === undefined) return null;
  const isReplaced = namesOf(fact.text).some((each) => !statement.includes(each));
  return isReplaced ? said : null;
}

/** Whether one of the two denies what the other says in nearly the same words. */
function denies(statement: string, fact: KnownFact): boolean {
  if (denial.test(statement) === denial.test(fact.text)) return false;
  const words = [...stems(statement)];
  const known = stems(fact.text);
  const shared = words.filter((word) => known.has(word)).length;
  return shared >= words.length * denialPartMin;
}

function contradicted(statement: string, facts: GroundedFacts): Finding | null {
  const fact = facts.about(statement);
  if (fact === null) return null;
  const said = otherQuantity(statement, fact, facts)?.text ?? otherName(statement, fact, facts);
  if (said !== null) return finding(`"${said}"`, fact);
  return denies(statement, fact) ? finding(`"${statement}"`, fact) : null;
}

/** What an answer says against the known facts, in the order of the answer. */
export function contradictions(output: Json, facts: GroundedFacts): Finding[] {
  return textsOf(output)
    .flatMap(sentencesOf)
    .slice(0, statementsMax)
    .flatMap((statement) => contradicted(statement, facts) ?? [])
    .slice(0, findingsMax);
}
