/**
 * Check of an answer that has to be copied from the message. The text becomes
 * `{ question, answer, claim }`, where the claim is for the critic.
 *
 * Invariants
 *   C1. The answer stands in the body of the message whole, and is no piece of
 *       a longer name, date or amount.
 *   C2. It is of the kind that the question asks for, and not already in it.
 *   C3. It stands in the sentence that has most in common with the question,
 *       and no other value of its kind stands there.
 */
import { relevantFacts } from '../facts.ts';
import { bodyLines } from '../message-parts.ts';
import { sentencesOf } from '../sentences.ts';
import { capitalRuns } from './capitals.ts';
import type { Check } from './check.ts';
import { occursWhole, withoutStop } from './occurrence.ts';
import { amountsIn, datesIn } from './patterns.ts';
import { askedKind, claimOf, standsAsPlace, valuesOfKind } from './question.ts';

/** The longer value that the answer is a piece of, or null. */
function wholeValue(sentence: string, answer: string): string | null {
  const values = [
    ...datesIn(sentence),
    ...amountsIn(sentence),
    ...capitalRuns(sentence).map((run) => run.text),
  ];
  return values.includes(answer)
    ? null
    : (values.find((value) => value !== answer && occursWhole(value, answer)) ?? null);
}

/** The one value of the asked kind in an answer that says more than that. */
function trimmed(question: string, answer: string): string {
  const kind = askedKind(question);
  if (kind !== 'date' && kind !== 'amount') return answer;
  const values = valuesOfKind(kind, answer);
  return values.length === 1 ? (values[0] ?? answer) : answer;
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

function doubtOf(document: string, question: string, answer: string): string | null {
  if (/^i don.t know/i.test(answer) || answer === '') return 'The model found no answer.';
  if (!occursWhole(bodyLines(document), answer)) {
    return `The answer "${answer}" does not stand in the message.`;
  }
  if (occursWhole(question, answer)) return `"${answer}" is what the question already says.`;
  const facts = sentencesOf(relevantFacts(document, `Question: ${question}`));
  const home = facts.find((sentence) => occursWhole(sentence, answer));
  if (home === undefined) {
    return `"${answer}" does not stand in the sentence that the question is about.`;
  }
  const whole = wholeValue(home, answer);
  if (whole !== null) return `"${answer}" is only a piece of "${whole}".`;
  return kindDoubt(question, home, answer);
}

export const copiedAnswer: Check = ({ output, document, each }) => {
  const question = typeof each === 'string' ? each : '';
  const answer = trimmed(question, withoutStop(typeof output === 'string' ? output : ''));
  const doubt = doubtOf(document, question, answer);
  return {
    output: { question, answer, claim: claimOf(question, answer) },
    reasons: doubt === null ? [] : [doubt],
    retry: true,
  };
};
