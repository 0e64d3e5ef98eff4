/**
 * Merging the results of many documents in levels, until one is left: which
 * group is asked next, and what all of it comes to. A pure function of the
 * results and the answers so far; nothing else is kept.
 *
 * Invariants
 *   D1. Groups are made of neighbours, in the order of the documents, and hold at most
 *       `atOnce` lists and `maxCharacters` characters of statements.
 *   D2. A group whose merge gave no answer goes on unmerged, so that nothing is lost
 *       but what the model leaves out.
 *   D3. Where nothing fits together any more, or after the last level that may be,
 *       what is left stays side by side, and the result says so.
 */
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { Answer } from './agent-answer.ts';
import { wordsOf } from './checks/occurrence.ts';
import type { Group } from './merge.ts';
import type { StepDefinition } from './pipeline-definition.ts';
import { type Citation, leavesOf, type Statement } from './statements.ts';

export type ReduceDefinition = NonNullable<StepDefinition['reduce']>;

export interface Reduction {
  /** What is asked next; null when all is merged. */
  readonly group: Group | null;
  /** Of the group, from 1; of all when nothing is asked any more. */
  readonly level: number;
  readonly statements: readonly Statement[];
  readonly sources: readonly Citation[];
  /** Why the result is not whole. */
  readonly reasons: readonly string[];
}

type List = readonly Statement[];

/** Neighbours that fit into one question (D1). */
function groupsOf(lists: readonly List[], { atOnce, maxCharacters }: ReduceDefinition): List[][] {
  const groups: List[][] = [];
  let characters = 0;
  for (const list of lists) {
    const own = list.reduce((sum, { text }) => sum + text.length, 0);
    const group = groups.at(-1);
    if (group === undefined || group.length >= atOnce || characters + own > maxCharacters) {
      groups.push([list]);
      characters = own;
    } else {
      group.push(list);
      characters += own;
    }
  }
  return groups;
}

/** The statements of a group; one that stands there several times once, with all its sources. */
function unionOf(lists: readonly List[]): Group {
  const found = new Map<string, Statement>();
  for (const statement of lists.flat()) {
    const key = wordsOf(statement.text).join(' ');
    const known = found.get(key);
    const sources = [...(known?.sources ?? []), ...statement.sources];
    found.set(key, { text: known?.text ?? statement.text, sources: [...new Set(sources)] });
  }
  return [...found.values()];
}

function statementsOf({ output, answered }: Answer, group: Group): Group {
  return answered ? (output as unknown as Statement[]) : group; // (D2)
}

/** @param answers Merges so far, in the order in which they were asked. */
export function reductionOf(
  reduce: ReduceDefinition,
  items: readonly string[],
  answers: readonly Answer[],
): Reduction {
  const { lists: leaves, sources, missing } = leavesOf(items, reduce.step);
  let lists: readonly List[] = leaves;
  let taken = 0;
  let level = 0;
  while (lists.length > 1 && level < limits.reduceLevelsMax) {
    const groups = groupsOf(lists, reduce);
    if (groups.length === lists.length) break; // (D3)
    level += 1;
    const next: List[] = [];
    for (const together of groups) {
      const group = unionOf(together);
      const answer = answers[taken];
      if (together.length === 1) next.push(group);
      else if (answer === undefined) return { group, level, statements: [], sources, reasons: [] };
      else {
        next.push(statementsOf(answer, group));
        taken += 1;
      }
    }
    lists = next.filter((list) => list.length > 0);
  }
  const left =
    lists.length > 1 ? [`${lists.length} lists of statements were too long to be merged.`] : [];
  const statements = unionOf(lists);
  return { group: null, level, statements, sources, reasons: [...missing, ...left] };
}

/** What the prompt of a merge reads as `each`. */
export function groupAsElement({ group, level }: Reduction): Json {
  if (group === null) return null;
  const statements = group.map(({ text }, index) => ({ number: index + 1, text }));
  return { level, statements };
}

/** The result of the step: each statement with the places that it stands on. */
export function reductionOutput({ statements, sources, level }: Reduction, merges: number): Json {
  return {
    statements: statements.map(({ text, sources: cited }) => ({
      text,
      citations: citationsOf(cited, sources),
    })),
    levels: level,
    merges,
  };
}

/** Each place once, in the order of the documents. */
function citationsOf(cited: readonly number[], sources: readonly Citation[]): Json[] {
  const places = [...cited].sort((a, b) => a - b).flatMap((index) => sources[index] ?? []);
  const texts = new Set(places.map((place) => JSON.stringify(place)));
  return [...texts].map((text) => JSON.parse(text) as Json);
}
