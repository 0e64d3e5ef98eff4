/**
 * Collects what the steps before found about one document, so that a report can
 * say each thing once. A step that works through sentences may find the same
 * name in two of them, and doubt the same value twice.
 *
 * `with:` names each list and the path that its elements come from, in the
 * element that the agent works on. A path goes through lists: of
 * `steps.extract.output.names` the names of all sentences are one list. The
 * answer becomes `{ answer, ...lists }`. Never doubts.
 *
 * Invariants
 *   K1. An element stands in its list once, where it stood first.
 *   K2. What a path does not find is left out; an absent list is empty.
 */
import { canonicalJson } from '../../kernel/hash.ts';
import { isJsonObject, type Json } from '../../kernel/json.ts';
import type { Check } from './check.ts';

/** Every value at the end of a path, lists laid out. */
function valuesAt(value: Json, path: readonly string[]): Json[] {
  if (Array.isArray(value)) return value.flatMap((element) => valuesAt(element, path));
  const [name, ...rest] = path;
  if (name === undefined) return value === null ? [] : [value];
  // (K2)
  if (!isJsonObject(value) || !Object.hasOwn(value, name)) return [];
  return valuesAt(value[name] ?? null, rest);
}

function unique(values: readonly Json[]): Json[] {
  // A map keeps the place of a key that is set again (K1).
  return [...new Map(values.map((value) => [canonicalJson(value), value])).values()];
}

export const collected: Check = ({ output, each, parameters }) => {
  const lists = Object.entries(parameters).map(([name, path]) => [
    name,
    unique(typeof path === 'string' ? valuesAt(each, path.split('.')) : []),
  ]);
  return { output: { answer: output, ...Object.fromEntries(lists) }, reasons: [] };
};
