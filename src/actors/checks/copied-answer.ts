/**
 * Check of an answer that has to be copied from the message. The text becomes
 * `{ question, answer, claim }`, where the claim is for the critic.
 *
 * Invariants
 *   C1. The answer stands in the message whole. A piece of the one name, date or
 *       amount that it can be is completed to it.
 *   C2. It is of the kind that the question asks for, and not already in it.
 *   C3. It stands in the sentence that has most in common with the question,
 *       and no other value of its kind stands there.
 */
import { relevantFacts } from '../facts.ts';
import { sentencesOf } from '../sentences.ts';
import { capitalRuns } from './capitals.ts';
import type { Check } from './check.ts';
import { occursWhole, withoutStop } from './occurrence.ts';
import { amountsIn, datesIn } from './patterns.ts';
import { askedKind, claimOf, standsAsPlace, valuesOfKind } from './question.ts';

/** The sentence that the question is about and that has the answer, or a piece of it. */
function homeOf(document: string, question: string, answer: string): string | null {
  const facts = sentencesOf(relevantFacts(document, `Question: ${question}`));
  return answer === '' ? null : (facts.find((sentence) => sentence.includes(answer)) ?? null);
}

/**
 * The answer as one whole value: cut down to the only value of its kind that it
 * has, or completed to the only value of the sentence that it is a piece of.
 */
function wholeAnswer(question: string, home: string | null, answer: string): string {
  const kind = askedKind(question);
  const inside = kind === 'name' ? [] : valuesOfKind(kind, answer);
  if (inside.length === 1 && home !== null && occursWhole(home, inside[0] ?? '')) {
    return inside[0] ?? answer;
  }
  const around = valuesOfKind(kind === 'place' ? 'name' : kind, home ?? '').filter((value) =>
    value.startsWith(answer),
  );
  return around.length === 1 ? (around[0] ?? answer) : answer;
}

/** The longer value that the answer is a piece of, or null. */
function longerValue(sentence: string, answer: string): string | null {
  const values = [
    ...datesIn(sentence),
    ...amountsIn(sentence),
    ...capitalRuns(sentence).map((run) => run.text),
  ];
  return values.includes(answer)
    ? null
    : (values.find((value) => value !== answer && occursWhole(value, answer)) ?? null);
}

function kindDoubt(question: string, sentence: string, answer: string): string | null {
  const kind = askedKind(question);
  if (kind === 'place') {
    const wordy = capitalRuns(answer).length > 0 && /\s\p{Ll}/u.test(answer);
    return standsAsPlace(question, sentence, answer) && !wordy
      ? null
      : `"${answer}" may not be a place.`;
  }
  if (kind === 'open') return null;
  const values = valuesOfKind(kind, sentence).filter((value) => !question.includes(value));
  if (!values.includes(answer)) return `"${answer}" is not what the question asks for.`;
  const others = values.filter((value) => value !== answer);
  return others.length === 0 ? null : `The sentence also has ${others.join(', ')}.`;
}

function doubtOf(question: string, home: string | null, answer: string): string | null {
  if (/^i don.t know/i.test(answer) || answer === '') return 'The model found no answer.';
  if (occursWhole(question, answer)) return `"${answer}" is what the question already says.`;
  if (home === null || !occursWhole(home, answer)) {
    return `"${answer}" does not stand in the sentence that the question is about.`;
  }
  const longer = longerValue(home, answer);
  if (longer !== null) return `"${answer}" is only a piece of "${longer}".`;
  return kindDoubt(question, home, answer);
}

export const copiedAnswer: Check = ({ output, document, each }) => {
  const question = typeof each === 'string' ? each : '';
  const given = withoutStop(typeof output === 'string' ? output : '');
  const home = homeOf(document, question, given);
  const answer = wholeAnswer(question, home, given);
  const doubt = doubtOf(question, home, answer);
  return {
    output: { question, answer, claim: claimOf(question, answer) },
    reasons: doubt === null ? [] : [doubt],
    retry: true,
  };
};
