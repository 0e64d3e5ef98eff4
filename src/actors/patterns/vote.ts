/**
 * Self-consistency: the question is asked again with other seeds, and the answer
 * that most votes are for stands. The answer at hand has a vote too.
 *
 * Invariants
 *   V1. Who gave no answer, or one that its checks doubt, is counted and votes for nothing.
 *   V2. Of two answers with as many votes the earlier one wins, that at hand first.
 */
import { canonicalJson } from '../../kernel/hash.ts';
import { isJsonObject, type Json } from '../../kernel/json.ts';
import { wordsOf } from '../checks/occurrence.ts';
import type { ValidateDefinition } from '../validate-definition.ts';
import type { Pattern } from './pattern.ts';
import { quoted } from './quote.ts';

/** Answers without a majority that are quoted. */
const namedMax = 3;

type Settings = Extract<ValidateDefinition, { pattern: 'vote' }>;

/** What two answers are compared by: values as they are, texts by their words. */
function ballotOf(output: Json, path: string | undefined): string {
  let value: Json | undefined = output;
  for (const name of path?.split('.') ?? []) {
    value = isJsonObject(value ?? null) ? (value as { [name: string]: Json })[name] : undefined;
  }
  if (typeof value === 'string') return wordsOf(value).join(' ');
  return canonicalJson(value ?? null);
}

export const vote: Pattern<Settings> = {
  asks: (stage, _matter, _said, { samples, temperature }) =>
    stage > 0 ? [] : Array.from({ length: samples }, () => ({ kind: 'again', temperature })),

  findings({ answer }, said, { agreement, compare }) {
    const voters = said.filter(({ answered, reasons }) => answered && reasons.length === 0); // (V1)
    const votes = [answer, ...voters.map(({ output }) => output)];
    const counts = new Map<string, { readonly output: Json; count: number }>();
    for (const output of votes) {
      const ballot = ballotOf(output, compare);
      const known = counts.get(ballot);
      if (known === undefined) counts.set(ballot, { output, count: 1 });
      else known.count += 1;
    }
    // A sort keeps the order of equals (V2).
    const [winner = { output: answer, count: 1 }, ...others] = [...counts.values()].sort(
      (a, b) => b.count - a.count,
    );
    const total = said.length + 1;
    const abstained = total - votes.length;
    const unnamed = others.slice(namedMax).reduce((sum, { count }) => sum + count, 0);
    const parts = [
      `${winner.count} of ${total} answers agree on ${quoted(winner.output)}`,
      ...others
        .slice(0, namedMax)
        .map(({ output, count }) => `${count} ${count === 1 ? 'is' : 'are'} ${quoted(output)}`),
      ...(unnamed === 0 ? [] : [`${unnamed} differ from these`]),
      ...(abstained === 0 ? [] : [`${abstained} had no vote`]),
    ];
    const evidence = `${parts.join('; ')}.`;
    return winner.count / total >= agreement
      ? { output: winner.output, reasons: [], evidence: [evidence] }
      : { output: answer, reasons: [`Too few agree: ${evidence}`], evidence: [evidence] };
  },
};
