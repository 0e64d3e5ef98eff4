/**
 * A program examines the answer in the sandbox. It reads `input` and its value
 * is the finding: true, or what is wrong. Another agent may write it, or what it
 * works on.
 */
import { isJsonObject, type Json } from '../../kernel/json.ts';
import type { ValidateDefinition } from '../validate-definition.ts';
import type { Pattern, Statement } from './pattern.ts';
import { quoted, wordsOf } from './quote.ts';

type Settings = Extract<ValidateDefinition, { pattern: 'code' }>;

/** Speaker of a program's value. */
export const programSpeaker = 'program';

const fence = /^```[a-z]*\n([\s\S]*?)\n?```\s*$/i;

/** The program that an agent wrote: its text, or the property `source`. */
function programIn(written: Json): string | null {
  const text = isJsonObject(written) ? written.source : written;
  if (typeof text !== 'string' || text.trim() === '') return null;
  return fence.exec(text.trim())?.[1] ?? text;
}

/** What an agent wrote and nothing doubts, or null. */
function usable(statement: Statement | undefined): Statement | null {
  return statement?.answered === true && statement.reasons.length === 0 ? statement : null;
}

/** What is wrong by the program's value; empty where nothing is. */
function faultsOf(value: Json): readonly string[] {
  if (value === true) return [];
  if (value === false) return ['The program finds the answer wrong.'];
  const texts = typeof value === 'string' ? [value] : value;
  if (Array.isArray(texts) && texts.every((text) => typeof text === 'string')) {
    return texts.map((text) => `The program says ${quoted(text)}.`);
  }
  return [`The program gave ${quoted(value)}, which is neither true nor what is wrong.`];
}

export const code: Pattern<Settings> = {
  asks(stage, _matter, said, { agent, source }) {
    if (agent === undefined) {
      return stage > 0 ? [] : [{ kind: 'program', source: source ?? '', written: null }];
    }
    if (stage === 0) return [{ kind: 'agent', name: agent, variables: {} }];
    const writer = usable(said[0]);
    const program = writer === null ? null : (source ?? programIn(writer.output));
    if (stage > 1 || writer === null || program === null) return [];
    return [{ kind: 'program', source: program, written: writer.output }];
  },

  findings({ answer }, said) {
    const evidence = said.map((statement) => `${statement.speaker} says ${wordsOf(statement)}.`);
    const last = said.at(-1);
    if (last?.speaker !== programSpeaker) {
      const reason = `There is no program to examine the answer with: ${evidence.join(' ')}`;
      return { output: answer, reasons: [reason], evidence };
    }
    const reasons = last.answered ? faultsOf(last.output) : last.reasons;
    return { output: answer, reasons, evidence };
  },
};
