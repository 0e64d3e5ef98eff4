/**
 * Grounding: the few sentences of a document that matter to a question. A
 * small model that is lost in a whole message often finds the answer in these.
 *
 * Invariants
 *   F1. Pure, and every sentence stands in the document word for word, except
 *       that a greeting before it is left out.
 *   F2. The answer is never empty for a document that says something.
 */
import { bodyLines, matterOf } from './message-parts.ts';
import { sentencesOf } from './sentences.ts';
import { stems } from './stems.ts';

/** Sentences of one grounding. */
const sentencesMax = 2;

/** What is left of a prompt once the document's own statements are taken out. */
function askedBeside(document: string, question: string): string {
  const labelled = /.*\b(?:question|claim):\s*(.+)$/is.exec(question)?.[1];
  const whole = document.trim();
  if (whole !== '' && question.includes(whole)) return question.replace(whole, ' ');
  if (labelled !== undefined) return labelled;
  const statements = sentencesOf(bodyLines(document)).filter((sentence) => !sentence.endsWith('?'));
  let rest = question;
  for (const sentence of statements) {
    if (sentence.length > 12) rest = rest.replace(sentence, ' ');
  }
  return rest;
}

/**
 * The sentences of `document` that share most with `question`, in their order,
 * joined by spaces; the first informative ones when none shares anything.
 * `question` may be a whole prompt that quotes the document.
 */
export function relevantFacts(document: string, question: string): string {
  const matter = matterOf(document);
  if (matter.length === 0) return bodyLines(document).replaceAll('\n', ' ');
  const asked = stems(askedBeside(document, question));
  const scored = matter.map((sentence, index) => {
    const shared = [...stems(sentence)].filter((stem) => asked.has(stem)).length;
    return { sentence, index, shared };
  });
  const best = Math.max(...scored.map((entry) => entry.shared));
  if (best === 0) return matter[0] ?? '';
  return scored
    .filter((entry) => entry.shared > 0)
    .toSorted((a, b) => b.shared - a.shared || a.index - b.index)
    .slice(0, sentencesMax)
    .toSorted((a, b) => a.index - b.index)
    .map((entry) => entry.sentence)
    .join(' ');
}
