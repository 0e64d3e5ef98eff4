/**
 * Check of a label against the words of the message. Each label has a
 * vocabulary in `with.vocabulary`; the words of the message vote.
 *
 * Invariants
 *   L1. A label is confirmed when more words speak for it than for any other.
 *   L2. Where no word speaks at all, only a confidence of at least `with.alone`
 *       confirms it; without that parameter nothing does.
 */
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { matterOf } from '../message-parts.ts';
import type { Check } from './check.ts';
import { wordsOf } from './occurrence.ts';

const ending = /^(?:s|e|es|ies|ed|d|ing|er|ers|y)$/;

/** An entry matches its word with an ending: `invoice` matches `invoices` and `invoiced`. */
function matches(entry: string, words: readonly string[]): boolean {
  const parts = wordsOf(entry);
  return words.some((_, start) =>
    parts.every((part, offset) => {
      const word = words[start + offset] ?? '';
      const stem = part.length > 4 ? part.replace(/[ey]$/, '') : part;
      return word === part || (word.startsWith(stem) && ending.test(word.slice(stem.length)));
    }),
  );
}

function entriesOf(vocabulary: JsonObject, label: string): string[] {
  const entries: Json | undefined = vocabulary[label];
  return Array.isArray(entries) ? entries.filter((entry) => typeof entry === 'string') : [];
}

export const labelEvidence: Check = ({ output, document, confidence, parameters }) => {
  const field = typeof parameters.field === 'string' ? parameters.field : 'route';
  const label = isJsonObject(output) ? output[field] : null;
  const { vocabulary } = parameters;
  if (typeof label !== 'string' || !isJsonObject(vocabulary)) {
    return { output, reasons: ['The answer has no label.'], retry: true };
  }
  const words = wordsOf(matterOf(document).join(' '));
  const votes = Object.keys(vocabulary).map((name) => ({
    name,
    found: entriesOf(vocabulary, name).filter((entry) => matches(entry, words)),
  }));
  const own = votes.find((vote) => vote.name === label)?.found ?? [];
  const rivals = votes.filter((vote) => vote.name !== label && vote.found.length >= own.length);
  const strongest = rivals.toSorted((a, b) => b.found.length - a.found.length)[0];
  if (own.length > 0 && rivals.length === 0) return { output, reasons: [] };
  if (votes.every((vote) => vote.found.length === 0)) {
    // No confidence reaches 2 (L2).
    const alone = typeof parameters.alone === 'number' ? parameters.alone : 2;
    if (confidence !== null && confidence >= alone) return { output, reasons: [] };
    return { output, reasons: [`No word of the message speaks for ${label}.`], retry: true };
  }
  const evidence = strongest?.found.slice(0, 3).join(', ') ?? '';
  const reason = `The answer is ${label}, but the message speaks of ${evidence} (${strongest?.name ?? 'another'}).`;
  return { output, reasons: [reason], retry: true };
};
