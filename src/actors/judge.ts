/**
 * Turns the outcome of a generation into a judged answer: parsed, checked in
 * code, with every doubt named.
 */
import { findNonJson, type Json } from '../kernel/json.ts';
import { schemaMismatch } from './answer-schema.ts';
import { checks } from './checks/index.ts';
import type { AgentDefinition } from './pipeline-definition.ts';
import type { StepResult } from './step-result.ts';

/** What an agent reads of a generation's outcome. */
export interface Generation {
  readonly status: 'completed' | 'halted';
  readonly text: string;
  readonly minConfidence: number | null;
  readonly halt: { readonly detector: string; readonly evidence: string } | null;
}

export interface Judgement {
  /** Null when there is no answer at all: stopped by a detector, or not the promised JSON. */
  readonly output: Json;
  readonly answered: boolean;
  readonly reasons: readonly string[];
  readonly confidence: number | null;
  /** Asking again could help. */
  readonly retry: boolean;
  readonly detector: string | null;
}

export interface JudgeScope {
  readonly document: string;
  readonly steps: Readonly<Record<string, StepResult>>;
  readonly each: Json;
}

function parseAnswer(agent: AgentDefinition, text: string): { output: Json } | { problem: string } {
  if (agent.output === undefined) return { output: text.trim() };
  const problem = 'The answer is not the JSON that was asked for.';
  try {
    const output = JSON.parse(text) as Json;
    // JSON text can spell what no journal keeps: 1e400, or half of a surrogate pair.
    if (findNonJson(output) !== null) return { problem };
    const mismatch = schemaMismatch(agent.output, output);
    return mismatch === null
      ? { output }
      : { problem: `The answer does not fit its schema: ${mismatch}.` };
  } catch {
    return { problem };
  }
}

export function judge(
  agent: AgentDefinition,
  generation: Generation,
  scope: JudgeScope,
): Judgement {
  const confidence = generation.minConfidence;
  const unanswered = { output: null, answered: false, confidence, retry: true };
  if (generation.status === 'halted') {
    const halt = generation.halt ?? { detector: 'unknown', evidence: '' };
    return { ...unanswered, reasons: [halt.evidence], detector: halt.detector };
  }
  const parsed = parseAnswer(agent, generation.text);
  if ('problem' in parsed) return { ...unanswered, reasons: [parsed.problem], detector: null };

  let output = parsed.output;
  let retry = false;
  const reasons: string[] = [];
  for (const { use, with: parameters } of agent.checks) {
    const check = Object.hasOwn(checks, use) ? checks[use] : undefined;
    if (check === undefined) {
      reasons.push(`The check ${use} does not exist.`);
      continue;
    }
    const verdict = check({
      ...scope,
      output,
      confidence,
      parameters: parameters as { [key: string]: Json },
    });
    output = verdict.output;
    reasons.push(...verdict.reasons);
    retry ||= verdict.reasons.length > 0 && verdict.retry === true;
  }
  return { output, answered: true, reasons, confidence, retry, detector: null };
}
