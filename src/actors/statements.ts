/**
 * Statements and where they come from: what the results of documents are to a
 * step that merges them. Pure.
 */
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import type { TextRange } from './event.ts';
import type { StepResult } from './step-result.ts';

/** A place in a document that a statement stands on. */
export interface Citation {
  readonly document: string;
  /** Which part of it, from 1; 0 for a whole document. */
  readonly part: number;
  /** Of the part, or within it where the statement was found there; null where it is not known. */
  readonly range: TextRange | null;
}

/** A statement with the sources that it stands on, by their numbers in a list. */
export interface Statement {
  readonly text: string;
  readonly sources: readonly number[];
}

/** The results of all documents as statements, one list for each document that has any. */
export interface Leaves {
  readonly lists: readonly (readonly Statement[])[];
  readonly sources: readonly Citation[];
  /** Documents without a result, one sentence each. */
  readonly missing: readonly string[];
}

interface Item {
  readonly document: { readonly name: string; readonly part: number; readonly range?: TextRange };
  readonly steps: Readonly<Record<string, StepResult>>;
}

const bullet = /^\s*(?:[-*•]|\d+[.)])\s+/;

export function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(bullet, '').trim())
    .filter((line) => line !== '');
}

/** A piece of a result that says something, and where in its document where that is known. */
interface Said {
  readonly text: string;
  readonly range: TextRange | null;
}

/** Texts, lists of texts, and objects with a `text` or a list of `statements`; nothing else says anything. */
function saidIn(output: Json): Said[] {
  if (typeof output === 'string') return linesOf(output).map((text) => ({ text, range: null }));
  if (Array.isArray(output)) return output.flatMap(saidIn);
  if (!isJsonObject(output)) return [];
  if (output.statements !== undefined) return saidIn(output.statements);
  const { text } = output;
  if (typeof text !== 'string') return [];
  return linesOf(text).map((line) => ({ text: line, range: rangeIn(output) }));
}

function rangeIn({ range }: JsonObject): TextRange | null {
  if (!isJsonObject(range ?? null)) return null;
  const { start, end, firstLine, lastLine } = range as JsonObject;
  return typeof start === 'number' &&
    typeof end === 'number' &&
    typeof firstLine === 'number' &&
    typeof lastLine === 'number'
    ? { start, end, firstLine, lastLine }
    : null;
}

/** A range within a part as one of its file. */
function within(part: TextRange | undefined, range: TextRange | null): TextRange | null {
  if (range === null) return part ?? null;
  const { start, firstLine } = part ?? { start: 0, firstLine: 1 };
  return {
    start: start + range.start,
    end: start + range.end,
    firstLine: firstLine + range.firstLine - 1,
    lastLine: firstLine + range.lastLine - 1,
  };
}

/** @param items JSON of `{ document, steps }` for each document. */
export function leavesOf(items: readonly string[], step: string): Leaves {
  const sources: Citation[] = [];
  const missing: string[] = [];
  const lists: Statement[][] = [];
  for (const text of items) {
    const { document, steps } = JSON.parse(text) as Item;
    const { name, part, range } = document;
    const result = steps[step];
    if (result === undefined || result.verdict === 'escalated' || result.verdict === 'skipped') {
      missing.push(`${part === 0 ? name : `Part ${part} of ${name}`} has no result to merge.`);
      continue;
    }
    const list = saidIn(result.output).map((said): Statement => {
      sources.push({ document: name, part, range: within(range, said.range) });
      return { text: said.text, sources: [sources.length - 1] };
    });
    if (list.length > 0) lists.push(list);
  }
  return { lists, sources, missing };
}
