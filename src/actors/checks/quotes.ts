/**
 * Check of an answer that quotes the document: each line of a text, or each text
 * in a JSON answer, has to stand there word for word. The answer becomes a list
 * of `{ text, range }`, where the range is the place in the document or in its
 * part. An empty answer is a list of nothing, and no doubt.
 *
 * `with:` `nothing` names answers that say that there is nothing to quote, which with `seek: true` is
 * doubted where a sentence of the document speaks of the element that the agent works on;
 * `labels` are words that may stand before a quote with a colon, and with `citations: true` a
 * number in brackets may follow it, neither of which is quoted;
 * `whole: sentence` lets a quote stand for the sentence that it is a piece of;
 * with `informative: true` headings, greetings and small talk are left out
 * without a doubt.
 *
 * Invariants
 *   Q1. A range holds its text, white space and a bullet before a line left aside.
 *   Q2. A place is quoted once.
 */
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { runKnowledge } from '../detectors/run-knowledge.ts';
import type { TextRange } from '../event.ts';
import { isInformative } from '../sentences.ts';
import { linesOf } from '../statements.ts';
import type { Check } from './check.ts';
import { withoutStop } from './occurrence.ts';

interface Span {
  readonly start: number;
  readonly end: number;
}

const heading = /^#{1,6}\s/;

/** Every text inside a JSON value. */
function textsIn(value: Json): string[] {
  if (typeof value === 'string') return linesOf(value);
  if (Array.isArray(value)) return value.flatMap(textsIn);
  return isJsonObject(value) ? Object.values(value).flatMap(textsIn) : [];
}

/** Where a text stands, not cut out of a longer word or figure; white space of any length is one space. */
function placeOf(document: string, text: string): Span | null {
  const words = withoutStop(text)
    .split(/\s+/)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  if (words.join('') === '') return null;
  const pattern = `(?<![\\p{L}\\p{N}])${words.join('\\s+')}(?![\\p{L}\\p{N}])[.!?]?`;
  const found = new RegExp(pattern, 'u').exec(document);
  return found === null ? null : { start: found.index, end: found.index + found[0].length };
}

/** The sentence around a place. A blank line, a full stop before white space, or an end is its border. */
function sentenceAround(document: string, { start, end }: Span): Span {
  const border = /[.!?]["'”’)\]]?\s+|\r?\n\s*\r?\n\s*/g;
  const before = [...document.slice(0, start).matchAll(border)].at(-1);
  const from = before === undefined ? 0 : before.index + before[0].length;
  const after = /[.!?](?=["'”’)\]]?(?:\s|$))|\s*\r?\n\s*\r?\n/.exec(document.slice(end - 1));
  if (after === null) return { start: from, end: document.trimEnd().length };
  const isStop = after[0].trim() !== '';
  return { start: from, end: end - 1 + after.index + (isStop ? 1 : 0) };
}

function rangeOf(document: string, { start, end }: Span): TextRange {
  const lineAt = (offset: number): number => document.slice(0, offset).split('\n').length;
  return { start, end, firstLine: lineAt(start), lastLine: lineAt(end - 1) };
}

/** Without the label before it and the citation after it. */
function bareQuote(line: string, { labels, citations }: JsonObject): string {
  const known = Array.isArray(labels) ? labels : [];
  const colon = line.indexOf(': ');
  const quote = known.includes(line.slice(0, Math.max(0, colon))) ? line.slice(colon + 2) : line;
  return citations === true ? quote.replace(/\s\[\d{1,4}\]$/, '') : quote;
}

/** What the document says of a question. */
function sentenceAbout(document: string, question: Json): string | null {
  if (typeof question !== 'string') return null;
  return runKnowledge(document, {}).about(question)?.text ?? null;
}

export const quotes: Check = ({ output, document, each, parameters }) => {
  const nothing = Array.isArray(parameters.nothing) ? parameters.nothing : [];
  const isTelling = (text: string): boolean => !heading.test(text) && isInformative(text);
  const said = textsIn(output).map((line) => bareQuote(line, parameters));
  const lines = said.filter((line) => !nothing.includes(line));
  const found = new Map<number, { readonly text: string; readonly range: TextRange }>();
  let invented = 0;
  for (const line of lines) {
    const place = placeOf(document, line);
    if (place === null) {
      invented += 1;
      continue;
    }
    const span = parameters.whole === 'sentence' ? sentenceAround(document, place) : place;
    const text = document.slice(span.start, span.end).replaceAll(/\s+/g, ' ');
    if (parameters.informative === true && !isTelling(text)) continue;
    if (!found.has(span.start)) found.set(span.start, { text, range: rangeOf(document, span) }); // (Q2)
  }
  const overlooked = lines.length < said.length && parameters.seek === true;
  const sentence = overlooked ? sentenceAbout(document, each) : null;
  const reason = `${invented} of ${lines.length} quotes do not stand in the document and were left out.`;
  return {
    output: [...found.values()].map(({ text, range }) => ({ text, range: { ...range } })),
    reasons: [
      ...(invented === 0 ? [] : [reason]),
      ...(sentence === null ? [] : [`Nothing was found, though the document says: ${sentence}`]),
    ],
    retry: true,
  };
};
