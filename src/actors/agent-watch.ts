/**
 * The detectors over a run's events, where an agent judges an answer: they add
 * their findings to the judgement. Pure functions of the agent's context.
 *
 * Invariants
 *   W1. An agent that sets no detector and no rule has the judgement that it
 *       would have without this file.
 */
import { isJsonObject } from '../kernel/json.ts';
import type { AgentContext } from './agent-context.ts';
import type { TemplateScope } from './definition.ts';
import { contradictions } from './detectors/contradiction.ts';
import type { Finding } from './detectors/finding.ts';
import { forgotten, type Objective } from './detectors/forgetting.ts';
import { runKnowledge } from './detectors/run-knowledge.ts';
import { type Call, failingCalls, noCalls, toolLoop } from './detectors/tool-loop.ts';
import type { Judged, Judgement } from './judge.ts';
import type { AgentDefinition } from './pipeline-definition.ts';
import { renderTemplate } from './template.ts';

/** The pins of an agent, rendered. */
export function objectivesOf({ pins = [] }: AgentDefinition, scope: TemplateScope): Objective[] {
  return pins.map((pin) => {
    const { text, words } = typeof pin === 'string' ? { text: pin, words: [] } : pin;
    return { text: renderTemplate(text, scope), words };
  });
}

/** The call that an answer makes, as far as it is one. */
export function callIn({ output }: Judgement): Call | null {
  if (!isJsonObject(output) || typeof output.tool !== 'string' || output.tool === 'none') {
    return null;
  }
  return { tool: output.tool, args: output.args ?? {} };
}

export interface WatchScope {
  readonly agent: AgentDefinition;
  readonly scope: TemplateScope;
  /** Text of the document; empty without one. */
  readonly document: string;
  /** Everything that the model was asked on; null where it grows only. */
  readonly asked: string | null;
  /** The answer as the model gave it. */
  readonly text: string;
}

function runFindings(
  { conversation }: Pick<AgentContext, 'conversation'>,
  { agent, scope, document, asked, text }: WatchScope,
  judgement: Judgement,
): Finding[] {
  const { toolLoop: times, failingCalls: failures, contradiction, forgetting } = agent.supervise;
  const call = callIn(judgement);
  if (call !== null && conversation !== undefined) {
    const { calls = noCalls } = conversation;
    const loop = times === undefined ? null : toolLoop(calls, call, times);
    const failing = failures === undefined ? null : failingCalls(calls, call, failures);
    return [loop, failing].filter((each) => each !== null);
  }
  // A call is no answer yet.
  if (call !== null) return [];
  return [
    ...(contradiction === true
      ? contradictions(judgement.output, runKnowledge(document, scope.steps))
      : []),
    ...(forgetting === true ? forgotten(objectivesOf(agent, scope), asked, text) : []),
  ];
}

/** The judgement with what the detectors found. */
export function watched(
  context: Pick<AgentContext, 'conversation'>,
  watch: WatchScope,
  { judgement, findings }: Judged,
): Judgement {
  const { rules, toolLoop, failingCalls, contradiction, forgetting } = watch.agent.supervise;
  const isWatched = [rules, toolLoop, failingCalls, contradiction, forgetting].some(
    (setting) => setting !== undefined && setting !== false,
  );
  if (!isWatched) return judgement; // (W1)
  const found = judgement.answered ? runFindings(context, watch, judgement) : [];
  const all = [...findings, ...found];
  const again = judgement.retry || found.length > 0;
  return {
    ...judgement,
    reasons: [...judgement.reasons, ...found.map(({ evidence }) => evidence)],
    // A rule is for a doubt that nobody would ask again about, too.
    retry: again || findings.some(({ source }) => rules?.some((rule) => rule.when === source)),
    again,
    detector: judgement.detector ?? found[0]?.source ?? null,
    findings: all,
  };
}
