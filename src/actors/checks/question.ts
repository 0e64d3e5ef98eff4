/** What a question asks for, and the statement that an answer to it makes. Pure. */
import { capitalRuns } from './capitals.ts';
import { amountsIn, datesIn, timesIn } from './patterns.ts';

/** Whether an answer is of the kind that the question asks for; true where the kind is open. */
export function fitsQuestion(question: string, answer: string): boolean {
  if (/^who\b|^whom\b|^whose\b|\bwho\b.*\?$/i.test(question)) return isName(answer);
  if (/^(?:when|(?:on|by|until|till|since) (?:which|what) (?:day|date)|what (?:day|date))\b/i.test(question)) {
    return datesIn(answer).length > 0 || timesIn(answer).length > 0;
  }
  if (/^(?:at )?what time\b/i.test(question)) return timesIn(answer).length > 0;
  if (/^how (?:many|old|long|far|often)\b/i.test(question)) return /\d/.test(answer);
  if (/^how (?:much|high)\b|^what (?:is|was|are) the (?:price|cost|fee|amount|total|budget|rent|bill|deposit)\b/i.test(question)) {
    return amountsIn(answer).length > 0;
  }
  return true;
}

function isName(answer: string): boolean {
  const runs = capitalRuns(`the ${answer}`);
  return runs.length > 0 && runs[0]?.text === answer.replace(/^(?:Mr|Mrs|Ms|Dr|Prof)\.? /, '');
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** The preposition that a date or place needs in a statement. */
function placed(question: string, answer: string): string {
  if (/^where/i.test(question)) return `in ${answer}`;
  return /^\d{1,2}(?::|\s?[ap]m)/.test(answer) ? `at ${answer}` : `on ${answer}`;
}

/** A statement made of question and answer, which a critic can look for in the facts. */
export function claimOf(question: string, answer: string): string {
  const asked = question.trim().replace(/\?+$/, '');
  const who = /^who (?:is|was) (the .+)$/i.exec(asked)?.[1];
  if (who !== undefined) return `${capitalised(who)} is ${answer}.`;
  const doer = /^(?:who|which \w+) (.+)$/i.exec(asked)?.[1];
  if (doer !== undefined) return `${answer} ${doer}.`;
  const whereWhen = /^(?:when|where|on which day|at what time|what time) (?:does|do|did|will|can|should|must|is|are|was|were) (.+)$/i.exec(asked)?.[1];
  if (whereWhen !== undefined) return `${capitalised(whereWhen)} ${placed(asked, answer)}.`;
  const what = /^what (?:is|are|was|were) (.+)$/i.exec(asked)?.[1];
  if (what !== undefined) return `${capitalised(what)} is ${answer}.`;
  const much = /^how (?:much|many|high|long|old) (?:\w+ )??(?:does|do|did|is|are|was|were|will) (.+)$/i.exec(asked)?.[1];
  if (much !== undefined) return `${capitalised(much)} ${answer}.`;
  return `${asked}? ${answer}.`;
}
