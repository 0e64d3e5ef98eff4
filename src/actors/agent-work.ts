/**
 * What an agent does in its step, as pure functions of its context and one
 * event: the question, the judgement, the call, the file, the result.
 */
import { assert } from '../kernel/assert.ts';
import type { ActorId } from '../kernel/ids.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { act } from './act.ts';
import { type Answer, answerFrom, resultOf } from './agent-answer.ts';
import { agentOf, definitionOf, elementsOf, stepOf, templateScope } from './definition.ts';
import type { StepVariables, TimedEvent } from './event.ts';
import type { Intention } from './intention.ts';
import { type Generation, type Judgement, judge } from './judge.ts';
import type { AgentDefinition, PipelineDefinition, StepDefinition } from './pipeline-definition.ts';
import type { StepResult } from './step-result.ts';
import { renderTemplate } from './template.ts';
import { toolCallOf } from './tool-call.ts';

export const generateTag = 'generate';
export const writeTag = 'write';

export interface AgentContext {
  readonly self: ActorId;
  readonly parent: ActorId;
  readonly definition: string;
  readonly step: string;
  readonly variables: StepVariables;
  readonly seed: number;
  /** Answers to the elements before the present one. */
  readonly answers: readonly Answer[];
  readonly attempt: number;
  readonly temperature: number | null;
  readonly attemptSeed: number;
  readonly grounding: string | null;
  readonly judgement: Judgement | null;
  readonly written: JsonObject | null;
}

export type AgentArguments = { context: AgentContext; event: TimedEvent };

interface Plan {
  readonly definition: PipelineDefinition;
  readonly step: StepDefinition;
  readonly agent: AgentDefinition | null;
}

export function planOf(context: AgentContext): Plan {
  const definition = definitionOf(context.definition);
  const step = stepOf(definition, context.step);
  return { definition, step, agent: agentOf(definition, step) };
}

function requireAgent(context: AgentContext): { plan: Plan; agent: AgentDefinition } {
  const plan = planOf(context);
  assert(plan.agent !== null, 'a step without an agent asks nothing');
  return { plan, agent: plan.agent };
}

function currentElement(context: AgentContext): Json {
  return elementsOf(planOf(context).step, context.variables)[context.answers.length] ?? null;
}

export function hasMoreElements({ context }: { context: AgentContext }): boolean {
  const { step, agent } = planOf(context);
  return agent !== null && context.answers.length < elementsOf(step, context.variables).length;
}

function questionOf(context: AgentContext): string {
  const { agent } = requireAgent(context);
  return renderTemplate(agent.prompt, templateScope(context.variables, currentElement(context)));
}

export function generate(context: AgentContext): Intention {
  const { agent } = requireAgent(context);
  const scope = templateScope(context.variables, currentElement(context));
  const system =
    agent.system === undefined
      ? []
      : [{ role: 'system', content: renderTemplate(agent.system, scope) }];
  const prompt = context.grounding ?? questionOf(context);
  return act(
    generateTag,
    { actuator: 'inference', operation: 'generate' },
    {
      messages: [...system, { role: 'user', content: prompt }],
      model: agent.model ?? null,
      schema: (agent.output as JsonObject | undefined) ?? null,
      temperature: context.temperature ?? agent.temperature,
      seed: context.attemptSeed,
      maxTokens: agent.limits.maxTokens,
      timeoutMs: agent.limits.timeoutMs,
      detectors: {
        minConfidence: agent.supervise.minConfidence ?? null,
        repetition: agent.supervise.repetition ?? null,
      },
    },
  );
}

export function judgeOutcome({ context, event }: AgentArguments): Partial<AgentContext> {
  assert(event.type === 'outcome' && event.outcome.status === 'completed', 'a completed outcome');
  const { agent } = requireAgent(context);
  const scope = {
    document: context.variables.document?.text ?? '',
    steps: templateScope(context.variables, null).steps,
    each: currentElement(context),
  };
  return { judgement: judge(agent, event.outcome.value as unknown as Generation, scope) };
}

function judgementOf(context: AgentContext): Judgement {
  assert(context.judgement !== null, 'an answer was judged (A2)');
  return context.judgement;
}

/** Closes the present element with its judgement and turns to the next one. */
export function nextElement(
  context: AgentContext,
  more: { output?: Json; reasons?: readonly string[] } = {},
): Partial<AgentContext> {
  const answer = answerFrom(judgementOf(context), context.attempt + 1, more.reasons ?? []);
  return {
    answers: [
      ...context.answers,
      more.output === undefined ? answer : { ...answer, output: more.output },
    ],
    attempt: 0,
    temperature: null,
    attemptSeed: context.seed,
    grounding: null,
    judgement: null,
  };
}

export function takeToolOutcome({ context, event }: AgentArguments): Partial<AgentContext> {
  assert(event.type === 'outcome', 'an outcome');
  const { output } = judgementOf(context);
  const call = isJsonObject(output) ? output : {};
  return event.outcome.status === 'completed'
    ? nextElement(context, { output: { ...call, result: event.outcome.value } })
    : nextElement(context, {
        output: { ...call, result: null },
        reasons: [`The tool failed: ${event.outcome.error.message}`],
      });
}

export function toolCall(context: AgentContext) {
  const { plan, agent } = requireAgent(context);
  return toolCallOf(plan.definition, agent, judgementOf(context).output);
}

export function stepResult(context: AgentContext): StepResult {
  const { step, agent } = planOf(context);
  const written = context.written;
  if (agent === null) {
    return { verdict: 'accepted', output: written, reasons: [], confidence: null, attempts: 0 };
  }
  const result = resultOf(context.answers, step.each !== undefined);
  return written === null ? result : { ...result, output: { ...written, answer: result.output } };
}

export function write(context: AgentContext): Intention {
  const { step } = planOf(context);
  assert(step.write !== undefined, 'the step writes');
  const scope = templateScope(context.variables, null);
  const own = stepResult(context);
  const variables = { ...scope, steps: { ...scope.steps, [context.step]: own } };
  return act(
    writeTag,
    { actuator: 'file', operation: 'write' },
    {
      path: renderTemplate(step.write.path, variables),
      text: renderTemplate(step.write.template, variables),
    },
  );
}

export function doubt({ context }: { context: AgentContext }): readonly Intention[] {
  const { reasons, detector } = judgementOf(context);
  return [
    {
      kind: 'send',
      to: context.parent,
      event: {
        type: 'agent-doubt',
        step: context.step,
        attempt: context.attempt,
        each: currentElement(context),
        question: questionOf(context),
        detector,
        reasons,
      },
    },
  ];
}

export function isDoubtful(context: AgentContext): boolean {
  const { reasons, retry } = judgementOf(context);
  return reasons.length > 0 && retry;
}

/** A doubted call is never made, and nothing is called twice for one answer. */
export function mayCall(context: AgentContext): boolean {
  return judgementOf(context).reasons.length === 0 && toolCall(context).type === 'call';
}
