/**
 * Proposer, critic, judge: a critic examines the answer. What it objects to is
 * doubted, unless a judge, who hears both, finds for the answer.
 */
import type { ValidateDefinition } from '../validate-definition.ts';
import type { Pattern } from './pattern.ts';
import { isFor, wordsOf } from './quote.ts';

type Settings = Extract<ValidateDefinition, { pattern: 'critic' }>;

export const critic: Pattern<Settings> = {
  asks(stage, _matter, [first], { critic: name, judge, accept }) {
    if (stage === 0) return [{ kind: 'agent', name, variables: {} }];
    if (stage > 1 || judge === undefined || first === undefined || isFor(first, accept)) return [];
    const { output, reasons } = first;
    const critique = { critic: name, output, reasons: [...reasons] };
    return [{ kind: 'agent', name: judge, variables: { critique } }];
  },

  findings({ answer }, said, { accept }) {
    const evidence = said.map((statement) => `${statement.speaker} says ${wordsOf(statement)}.`);
    const last = said.at(-1);
    const stands = last !== undefined && isFor(last, accept);
    return {
      output: answer,
      reasons: stands ? [] : [`Not confirmed: ${evidence.join(' ')}`],
      evidence,
    };
  },
};
