/**
 * Questions with known answers, whole and damaged. The halves are told apart by
 * the place of a question in its task, so that every form of a question is in
 * the same half and nothing of the test half was seen when thresholds were chosen.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { relevantFacts } from '../../src/actors/facts.ts';
import type { ChatMessage } from '../../src/inference/model-port.ts';

export const conditions = ['plain', 'hot', 'wrong facts', 'cut', 'loop'] as const;
export type Condition = (typeof conditions)[number];

export interface Item {
  readonly task: string;
  readonly condition: Condition;
  readonly half: 'calibration' | 'test';
  readonly messages: ChatMessage[];
  /** The text that the question is about; null where it is the question. */
  readonly document: string | null;
  /** What is asked about the document; null without one. */
  readonly asked: string | null;
  /** Everything that the question was about before it was damaged. */
  readonly source: string;
  /** The question over the sentences of the whole document that matter to it; null where it has none. */
  readonly grounded: ChatMessage[] | null;
  readonly temperature: number;
  /** The right answer, word for word. */
  readonly want: string;
}

const exampleSchema = z.object({
  task: z.string(),
  turns: z.array(z.tuple([z.enum(['system', 'user', 'assistant']), z.string()])).min(2),
});

interface Question {
  readonly task: string;
  /** Among those of its task. */
  readonly place: number;
  readonly before: ChatMessage[];
  readonly prompt: string;
  readonly want: string;
}

/** A prompt as a document and what is asked about it. */
interface Grounds {
  readonly document: string;
  readonly asked: string;
}

const hotTemperature = 1.2;
/** How often the text stands in a prompt that leads into circles. */
const copies = 4;
const loopTasks = new Set(['brief', 'extract', 'plan']);
const heading = '(?:Facts|Text|Passage|Context|Notes|Source)';
const questionFirst = new RegExp(`^(Question: .+)\\n${heading}: ([^]+)$`);
const questionLast = new RegExp(
  `^(?:${heading}: )?([^]+?)(?: Question: |\\nQuestion: |\\nQ: |\\n)([^\\n]+\\?)$`,
);
const claimLast = new RegExp(`^${heading}: ([^]+?)[ \\n]Claim: ([^]+)$`);

function readQuestions(): Question[] {
  const text = readFileSync(new URL('../../models/eval/heldout.jsonl', import.meta.url), 'utf8');
  const places = new Map<string, number>();
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const { task, turns } = exampleSchema.parse(JSON.parse(line));
      const place = places.get(task) ?? 0;
      places.set(task, place + 1);
      const messages = turns.map(([role, content]) => ({ role, content }));
      const [asked, answer] = messages.slice(-2);
      const before = messages.slice(0, -2);
      return { task, place, before, prompt: asked?.content ?? '', want: answer?.content ?? '' };
    });
}

function groundsOf({ task, prompt, before }: Question): Grounds | null {
  if (before.some(({ role }) => role !== 'system')) return null;
  if (task === 'check') {
    const [, document, claim] = claimLast.exec(prompt) ?? [];
    return document === undefined ? null : { document, asked: `Claim: ${claim}` };
  }
  if (task !== 'qa') return null;
  const [, first, text] = questionFirst.exec(prompt) ?? [];
  if (first !== undefined && text !== undefined) return { document: text, asked: first };
  const [, document, question] = questionLast.exec(prompt) ?? [];
  return document === undefined ? null : { document, asked: `Question: ${question}` };
}

/** The first half, as far as whole words go. */
function cut(document: string): string {
  return document.slice(0, document.length / 2).replace(/\s+\S*$/, '');
}

/** What comes before the first colon or line break is the instruction. */
function repeated(prompt: string): string {
  const at = prompt.search(/[:\n]\s/) + 1;
  const text = prompt.slice(at).trim();
  return `${prompt.slice(0, at)} ${Array.from({ length: copies }, () => text).join(' ')}`;
}

/**
 * @param everyNth Of the questions of each half.
 * @returns for each question the plain form, and the damaged forms that it has.
 */
export function readItems(everyNth = 1): Item[] {
  const all = readQuestions();
  const questions = all.filter(({ place }) => Math.floor(place / 2) % everyNth === 0);
  const documents = all.map(groundsOf).filter((grounds) => grounds !== null);
  return questions.flatMap((question) => formsOf(question, documents));
}

function formsOf(question: Question, documents: readonly Grounds[]): Item[] {
  const { task, place, before, prompt, want } = question;
  const grounds = groundsOf(question);
  const ask = (content: string): ChatMessage[] => [...before, { role: 'user', content }];
  const about = (document: string): ChatMessage[] =>
    ask(`Facts: ${document} ${grounds?.asked ?? ''}`);
  const whole: Item = {
    task,
    condition: 'plain',
    half: place % 2 === 0 ? 'calibration' : 'test',
    messages: ask(prompt),
    document: grounds?.document ?? null,
    asked: grounds?.asked ?? null,
    source: [...before.map(({ content }) => content), prompt].join('\n'),
    grounded: grounds === null ? null : about(relevantFacts(grounds.document, grounds.asked)),
    temperature: 0,
    want,
  };
  const items = [whole];
  // Half of them, so that heat does not outweigh all else.
  if (Math.floor(place / 2) % 2 === 0) {
    items.push({ ...whole, condition: 'hot', temperature: hotTemperature });
  }
  if (loopTasks.has(task))
    items.push({ ...whole, condition: 'loop', messages: ask(repeated(prompt)) });
  if (grounds === null) return items;
  const at = documents.findIndex(({ asked }) => asked === grounds.asked);
  const other = documents[(at + 1) % documents.length];
  items.push({ ...whole, condition: 'cut', messages: about(cut(grounds.document)) });
  if (other !== undefined) {
    items.push({ ...whole, condition: 'wrong facts', messages: about(other.document) });
  }
  return items;
}
