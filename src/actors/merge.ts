/**
 * What a model made of numbered statements, looked at in code: each line must
 * cite statements that it was given, and must stand on them.
 *
 * Invariants
 *   M1. A merged statement has the sources of the statements that it cites, and no other.
 *   M2. A number that was not given, a line that cites nothing and copies nothing,
 *       and a line whose words or figures are not in what it cites are refused: the
 *       line is left out and the reason says so.
 *   M3. With `keep` no statement is lost: each is cited, or there as it was.
 */
import { isJsonObject, type Json } from '../kernel/json.ts';
import { wordsOf } from './checks/occurrence.ts';
import { quoted } from './patterns/quote.ts';
import { linesOf, type Statement } from './statements.ts';

/** What one question merges: the statements by their numbers, from 1. */
export type Group = readonly Statement[];

export interface Merged {
  readonly statements: readonly Statement[];
  readonly reasons: readonly string[];
}

interface Line {
  readonly text: string;
  readonly cites: readonly number[];
}

const marker = /\s*\[(\d+(?:\s*[,;]\s*\d+)*)\]/g;

/** A line without its marks such as `[1]` or `[2, 3]`, and their numbers. */
function lineOf(text: string): Line {
  const cites = [...text.matchAll(marker)].flatMap(([, numbers = '']) =>
    numbers.split(/[,;]/).map(Number),
  );
  return { text: text.replaceAll(marker, '').trim(), cites };
}

function linesIn(output: Json): Line[] {
  if (typeof output === 'string') return linesOf(output).map(lineOf);
  if (Array.isArray(output)) return output.flatMap(linesIn);
  if (!isJsonObject(output)) return [];
  if (output.statements !== undefined) return linesIn(output.statements);
  const { text, cites } = output;
  if (typeof text !== 'string') return [];
  const numbers = Array.isArray(cites) ? cites.map(Number) : [];
  return linesOf(text).map((line) => {
    const own = lineOf(line);
    return { text: own.text, cites: [...own.cites, ...numbers] };
  });
}

/** Words that carry something: figures, and those of four letters or more. */
function weightyWords(text: string): string[] {
  return wordsOf(text).filter((word) => word.length > 3 || /\p{N}/u.test(word));
}

/** Why the text does not stand on the sources, or null when it does. */
function unsupported(text: string, sources: readonly Statement[], support: number): string | null {
  const there = new Set(sources.flatMap((source) => wordsOf(source.text)));
  const words = weightyWords(text);
  const invented = words.filter((word) => /\p{N}/u.test(word) && !there.has(word));
  if (invented.length > 0) return `has ${invented.join(', ')}, which its sources do not have`;
  const shared = words.filter((word) => there.has(word)).length;
  return words.length > 0 && shared / words.length < support
    ? 'says something else than its sources'
    : null;
}

/** Numbers of the statements that a line without marks is a copy of. */
function copiedFrom(text: string, group: Group): number[] {
  const words = wordsOf(text).join(' ');
  return group.flatMap((statement, index) =>
    wordsOf(statement.text).join(' ') === words ? [index + 1] : [],
  );
}

interface MergeRules {
  /** Share of a line's words that what it cites must have. */
  readonly support: number;
  /** What nothing cites goes on as it is (M3). */
  readonly keep: boolean;
}

export function mergedFrom(output: Json, group: Group, { support, keep }: MergeRules): Merged {
  const cited = new Set<number>();
  const statements = new Map<string, Statement>();
  const reasons: string[] = [];
  for (const { text, cites } of linesIn(output)) {
    if (text === '') continue;
    const numbers = cites.length > 0 ? cites : copiedFrom(text, group);
    const fault = faultOf({ text, cites: numbers }, group, support);
    if (fault !== null) {
      reasons.push(`The merged statement ${quoted(text)} ${fault}; it was left out.`); // (M2)
      continue;
    }
    for (const number of numbers) cited.add(number);
    const sources = numbers.flatMap((number) => group[number - 1]?.sources ?? []);
    const key = wordsOf(text).join(' ');
    const known = statements.get(key);
    const all = [...new Set([...(known?.sources ?? []), ...sources])].sort((a, b) => a - b);
    statements.set(key, { text: known?.text ?? text, sources: all }); // (M1)
  }
  if (keep) {
    const left = group.filter((_, index) => !cited.has(index + 1));
    return { statements: [...statements.values(), ...left], reasons };
  }
  if (statements.size === 0 && reasons.length === 0) reasons.push('The merge left nothing over.');
  return { statements: [...statements.values()], reasons };
}

function faultOf({ text, cites }: Line, group: Group, support: number): string | null {
  if (cites.length === 0) return 'cites nothing';
  const unknown = cites.filter((number) => group[number - 1] === undefined);
  if (unknown.length > 0) {
    return `cites ${unknown.map((number) => `[${number}]`).join(' ')}, which it was not given`;
  }
  const sources = cites.flatMap((number) => group[number - 1] ?? []);
  return unsupported(text, sources, support);
}
