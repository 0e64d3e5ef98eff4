/**
 * Turns the outcome of a generation into a judged answer: parsed, checked in
 * code, with every doubt named.
 */
import { findNonJson, type Json } from '../kernel/json.ts';
import { schemaMismatch } from './answer-schema.ts';
import { checks } from './checks/index.ts';
import type { Finding } from './detectors/finding.ts';
import type { AgentDefinition } from './pipeline-definition.ts';
import type { StepResult } from './step-result.ts';

/** Who doubts an answer that is not what was asked for. */
export const formatSource = 'format';

/** What an agent reads of a generation's outcome. */
export interface Generation {
  readonly status: 'completed' | 'halted';
  readonly text: string;
  readonly minConfidence: number | null;
  readonly halt: { readonly detector: string; readonly evidence: string } | null;
  readonly usage?: { readonly promptTokens: number };
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
  /** Each reason with who gave it; only of an agent whose run is watched. */
  readonly findings?: readonly Finding[];
  /** With findings: whether asking again could help, whatever the rules say. */
  readonly again?: boolean;
  /** A panel has examined the answer; absent before, and of an agent without `validate`. */
  readonly examined?: true;
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

/** An answer judged, and who doubts it. */
export interface Judged {
  readonly judgement: Judgement;
  readonly findings: readonly Finding[];
}

export function judged(agent: AgentDefinition, generation: Generation, scope: JudgeScope): Judged {
  const confidence = generation.minConfidence;
  const unanswered = { output: null, answered: false, confidence, retry: true };
  if (generation.status === 'halted') {
    const { detector, evidence } = generation.halt ?? { detector: 'unknown', evidence: '' };
    const judgement = { ...unanswered, reasons: [evidence], detector };
    return { judgement, findings: [{ source: detector, evidence }] };
  }
  const parsed = parseAnswer(agent, generation.text);
  if ('problem' in parsed) {
    const { problem } = parsed;
    const judgement = { ...unanswered, reasons: [problem], detector: null };
    return { judgement, findings: [{ source: formatSource, evidence: problem }] };
  }

  let output = parsed.output;
  let retry = false;
  const findings: Finding[] = [];
  for (const { use, with: parameters } of agent.checks) {
    const check = Object.hasOwn(checks, use) ? checks[use] : undefined;
    if (check === undefined) {
      findings.push({ source: use, evidence: `The check ${use} does not exist.` });
      continue;
    }
    const verdict = check({
      ...scope,
      output,
      confidence,
      parameters: parameters as { [key: string]: Json },
    });
    output = verdict.output;
    findings.push(...verdict.reasons.map((evidence) => ({ source: use, evidence })));
    retry ||= verdict.reasons.length > 0 && verdict.retry === true;
  }
  const reasons = findings.map(({ evidence }) => evidence);
  const judgement = { output, answered: true, reasons, confidence, retry, detector: null };
  return { judgement, findings };
}

export function judge(
  agent: AgentDefinition,
  generation: Generation,
  scope: JudgeScope,
): Judgement {
  return judged(agent, generation, scope).judgement;
}
