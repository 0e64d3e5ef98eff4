/**
 * A debate: opponents argue about the answer for some rounds. Those of a round
 * speak at once, each having heard the rounds before; then a judge decides.
 */
import type { JsonObject } from '../../kernel/json.ts';
import type { ValidateDefinition } from '../validate-definition.ts';
import type { Pattern, Statement } from './pattern.ts';
import { isFor, wordsOf } from './quote.ts';

type Settings = Extract<ValidateDefinition, { pattern: 'debate' }>;

/** Who said nothing is not heard. */
function heard(said: readonly Statement[]): JsonObject[] {
  return said
    .filter(({ answered }) => answered)
    .map(({ stage, speaker, output }) => ({ round: stage + 1, speaker, words: output }));
}

export const debate: Pattern<Settings> = {
  asks(stage, _matter, said, { opponents, judge, rounds }) {
    const variables = { debate: heard(said) };
    if (stage < rounds) return opponents.map((name) => ({ kind: 'agent', name, variables }));
    return stage > rounds ? [] : [{ kind: 'agent', name: judge, variables }];
  },

  findings({ answer }, said, { rounds, accept }) {
    const decision = said.find(({ stage }) => stage === rounds);
    const lastRound = said.filter(({ stage }) => stage === rounds - 1);
    const evidence = [...lastRound, ...(decision === undefined ? [] : [decision])].map(
      (statement) => `${statement.speaker} says ${wordsOf(statement)}.`,
    );
    const stands = decision !== undefined && isFor(decision, accept);
    return {
      output: answer,
      reasons: stands ? [] : [`Not upheld in the debate: ${evidence.join(' ')}`],
      evidence,
    };
  },
};
