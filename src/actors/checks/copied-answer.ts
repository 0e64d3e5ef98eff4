/**
 * Check of an answer that has to be copied from the message. The text becomes
 * `{ question, answer, claim }`, where the claim is for the critic.
 *
 * Invariants
 *   C1. The answer stands in the body of the message whole.
 *   C2. It is of the kind that the question asks for.
 *   C3. It stands in the sentence that has most in common with the question.
 */
import { relevantFacts } from '../facts.ts';
import { bodyLines } from '../message-parts.ts';
import { sentencesOf } from '../sentences.ts';
import { capitalRuns } from './capitals.ts';
import type { Check } from './check.ts';
import { occursWhole, withoutStop } from './occurrence.ts';
import { amountsIn, datesIn } from './patterns.ts';
import { claimOf, fitsQuestion } from './question.ts';

/** The longer value that the answer is a piece of, or null. */
function wholeValue(sentence: string, answer: string): string | null {
  const values = [
    ...datesIn(sentence),
    ...amountsIn(sentence),
    ...capitalRuns(sentence).map((run) => run.text),
  ];
  const standsAlone = values.includes(answer);
  return standsAlone ? null : (values.find((value) => occursWhole(value, answer)) ?? null);
}

function doubtOf(document: string, question: string, answer: string): string | null {
  if (/^i don.t know/i.test(answer) || answer === '') return 'The model found no answer.';
  if (!occursWhole(bodyLines(document), answer)) {
    return `The answer "${answer}" does not stand in the message.`;
  }
  if (!fitsQuestion(question, answer)) {
    return `"${answer}" is not what the question asks for.`;
  }
  const facts = sentencesOf(relevantFacts(document, `Question: ${question}`));
  const home = facts.find((sentence) => occursWhole(sentence, answer));
  if (home === undefined) {
    return `"${answer}" does not stand in the sentence that the question is about.`;
  }
  const whole = wholeValue(home, answer);
  return whole === null ? null : `"${answer}" is only a piece of "${whole}".`;
}

export const copiedAnswer: Check = ({ output, document, each }) => {
  const answer = withoutStop(typeof output === 'string' ? output : '');
  const question = typeof each === 'string' ? each : '';
  const doubt = doubtOf(document, question, answer);
  return {
    output: { question, answer, claim: claimOf(question, answer) },
    reasons: doubt === null ? [] : [doubt],
    retry: true,
  };
};
