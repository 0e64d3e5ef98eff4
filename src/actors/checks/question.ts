/** What a question asks for, and the statement that an answer to it makes. Pure. */
import { assertNever } from '../../kernel/assert.ts';
import { capitalRuns } from './capitals.ts';
import { amountsIn, datesIn, timesIn } from './patterns.ts';

/** The kind of value that a question asks for. */
export type AskedKind = 'name' | 'date' | 'time' | 'number' | 'amount' | 'place' | 'open';

const kinds: readonly (readonly [AskedKind, RegExp])[] = [
  ['name', /^(?:who|whom|whose)\b|\bwho\b/i],
  ['time', /^(?:at )?what time\b/i],
  [
    'date',
    /^(?:when|(?:on|by|until|till|since|from) (?:which|what) (?:day|date)|(?:what|which) (?:day|date)|what is the (?:date|deadline|due date))\b/i,
  ],
  ['number', /^how (?:many|old|long|far|often)\b/i],
  [
    'amount',
    /^how (?:much|high|expensive)\b|^(?:what|which) (?:is|was|are|were)? ?(?:the )?(?:\w+ ){0,2}(?:price|cost|costs|fee|amount|total|budget|rent|bill|deposit|sum)\b/i,
  ],
  ['place', /^(?:where|(?:in|to|from) (?:which|what) (?:city|town|place))\b/i],
];

export function askedKind(question: string): AskedKind {
  return kinds.find(([, words]) => words.test(question))?.[0] ?? 'open';
}

/** Every value of a kind in a sentence; empty for kinds without a pattern. */
export function valuesOfKind(kind: AskedKind, sentence: string): string[] {
  switch (kind) {
    case 'name':
      return [
        ...new Set(
          capitalRuns(sentence)
            .filter((run) => !/^(?:in|at|near)$/.test(run.before))
            .map((run) => run.text),
        ),
      ];
    case 'date':
      return datesIn(sentence).length > 0 ? datesIn(sentence) : timesIn(sentence);
    case 'time':
      return timesIn(sentence);
    case 'amount':
      return amountsIn(sentence);
    case 'number':
      return sentence.match(/(?<![\w.,])\d+(?:[.,]\d+)*(?![\w])/g) ?? [];
    case 'place':
    case 'open':
      return [];
    default:
      return assertNever(kind, 'askedKind');
  }
}

const placeBefore =
  /\b(?:in|at|near|from|on|behind|under|beside|opposite|inside|outside|to)(?: (?:the|our|a|an))?\s*$/i;
const movement =
  /\b(?:go|goes|travel|fly|drive|move|send|sent|ship|shipped|deliver|delivered|bring|come|from|to)\b/i;

/** Whether the answer stands in the sentence where a place would stand. */
export function standsAsPlace(question: string, sentence: string, answer: string): boolean {
  const before = sentence.slice(0, Math.max(0, sentence.indexOf(answer)));
  const preposition = placeBefore.exec(before)?.[0]?.trim().toLowerCase() ?? '';
  if (preposition === '') return /^(?:in|at|near|on|behind|under) /.test(answer);
  return preposition.startsWith('to') ? movement.test(question) : true;
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
  const whereWhen =
    /^(?:when|where|on which day|at what time|what time|until when|since when) (?:does|do|did|will|can|should|must|is|are|was|were) (.+)$/i.exec(
      asked,
    )?.[1];
  if (whereWhen !== undefined) return `${capitalised(whereWhen)} ${placed(asked, answer)}.`;
  const what = /^what (?:is|are|was|were) (.+)$/i.exec(asked)?.[1];
  if (what !== undefined) return `${capitalised(what)} is ${answer}.`;
  const much =
    /^how (?:much|many|high|long|old) (?:\w+ )??(?:does|do|did|is|are|was|were|will) (.+)$/i.exec(
      asked,
    )?.[1];
  if (much !== undefined) return `${capitalised(much)} ${answer}.`;
  return `${asked}? ${answer}.`;
}
