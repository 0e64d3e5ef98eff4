/**
 * Check of the critic: its quote decides, not its verdict, which a small model
 * gives too gladly.
 *
 * Invariants
 *   E1. The quote is a sentence of the message. A quote that is nearly one is
 *       replaced by the sentence itself.
 *   E2. The sentence has the answer, and shares a word with the question.
 */
import { isJsonObject, type Json } from '../../kernel/json.ts';
import { bodyLines } from '../message-parts.ts';
import { sentencesOf, withoutSalutation } from '../sentences.ts';
import type { Check } from './check.ts';
import { occursWhole, wordsOf } from './occurrence.ts';

/** Share of the words of both, 0 to 1. */
function likeness(a: string, b: string): number {
  const first = new Set(wordsOf(a));
  const second = new Set(wordsOf(b));
  const shared = [...first].filter((word) => second.has(word)).length;
  return shared / Math.max(1, Math.min(first.size, second.size));
}

function nearestSentence(document: string, quote: string, least: number): string | null {
  const scored = sentencesOf(bodyLines(document))
    .map(withoutSalutation)
    .map((sentence) => ({ sentence, score: likeness(sentence, quote) }));
  const best = scored.toSorted((a, b) => b.score - a.score)[0];
  return best !== undefined && best.score >= least ? best.sentence : null;
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

export const evidence: Check = ({ output, document, each, parameters }) => {
  const verdict = isJsonObject(output) ? output : {};
  const asked = isJsonObject(each) ? each : {};
  const least = typeof parameters.likeness === 'number' ? parameters.likeness : 0.6;
  const answer = textOf(asked.answer);
  const sentence = nearestSentence(document, textOf(verdict.evidence), least);
  const result = { ...asked, evidence: sentence, supported: verdict.supported === true };
  const doubt = (reason: string) => ({ output: result, reasons: [reason], retry: true });
  if (sentence === null) return doubt('The critic found no sentence that proves the answer.');
  if (!occursWhole(sentence, answer)) {
    return doubt(`The critic quotes "${sentence}", which does not have "${answer}".`);
  }
  if (verdict.supported !== true) return doubt(`The critic does not support "${answer}".`);
  const question = new Set(wordsOf(textOf(asked.question)).map((word) => word.slice(0, 4)));
  const related = wordsOf(sentence).some(
    (word) => word.length > 3 && question.has(word.slice(0, 4)),
  );
  return related
    ? { output: result, reasons: [] }
    : doubt(`The critic quotes "${sentence}", which is not about the question.`);
};
