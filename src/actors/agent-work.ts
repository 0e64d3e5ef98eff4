/**
 * What an agent does in its step, as pure functions of its context and one
 * event: the question, the judgement, the call, the file, the result.
 */
import { assert } from '../kernel/assert.ts';
import type { ActorId } from '../kernel/ids.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { act } from './act.ts';
import { type Answer, answerFrom, resultOf } from './agent-answer.ts';
import {
  type Attempt,
  afterAnswer,
  type Conversation,
  noConversation,
  nodeToAsk,
} from './conversation.ts';
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
  /** Only of an agent with `turns`. */
  readonly conversation?: Conversation;
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

export function requireAgent(context: AgentContext): { plan: Plan; agent: AgentDefinition } {
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

interface Opening {
  readonly role: 'system' | 'user';
  readonly content: string;
}

/** @param prompt What is asked; without it the question of the step. */
function openingOf(context: AgentContext, prompt = questionOf(context)): Opening[] {
  const { agent } = requireAgent(context);
  const user: Opening = { role: 'user', content: prompt };
  if (agent.system === undefined) return [user];
  const scope = templateScope(context.variables, currentElement(context));
  return [{ role: 'system', content: renderTemplate(agent.system, scope) }, user];
}

export function attemptOf(context: AgentContext): Attempt {
  const { attempt, grounding } = context;
  return { attempt, grounding, opening: () => openingOf(context) };
}

/** What the model is to continue: all of it, or the context that it is added to. */
function askedOn(context: AgentContext): JsonObject {
  const { conversation } = context;
  if (conversation === undefined) {
    const messages = openingOf(context, context.grounding ?? undefined);
    return { messages: messages.map((message) => ({ ...message })) };
  }
  return { context: nodeToAsk(conversation, attemptOf(context)) as unknown as JsonObject };
}

/** Nothing where neither is said, so that such a question is what it always was. */
function chosenBy({ definition, step }: Plan, agent: AgentDefinition): JsonObject {
  const isPrivate = [step.privacy, agent.privacy].includes('local-only');
  const { routing } = definition;
  return {
    ...(isPrivate ? { privacy: 'local-only' } : {}),
    ...(routing === undefined || agent.model !== undefined
      ? {}
      : { routing: routing as JsonObject }),
  };
}

/** Only those that are set: what agents without them ask stays as it was in old journals. */
function laterDetectors(supervise: AgentDefinition['supervise']): JsonObject {
  const { spike, perplexity, collapse, nearRepetition, stall } = supervise;
  const all = { spike, perplexity, collapse, nearRepetition, stall };
  return Object.fromEntries(
    Object.entries(all).filter((each): each is [string, number] => each[1] !== undefined),
  );
}

export function generate(context: AgentContext): Intention {
  const { plan, agent } = requireAgent(context);
  return act(
    generateTag,
    { actuator: 'inference', operation: 'generate' },
    {
      ...askedOn(context),
      model: agent.model ?? null,
      ...chosenBy(plan, agent),
      schema: (agent.output as JsonObject | undefined) ?? null,
      temperature: context.temperature ?? agent.temperature,
      seed: context.attemptSeed,
      maxTokens: agent.limits.maxTokens,
      ...(agent.priority === undefined ? {} : { priority: agent.priority }),
      ...(agent.supervise.resample === undefined
        ? {}
        : { correction: { ...agent.supervise.resample } }),
      timeoutMs: agent.limits.timeoutMs,
      detectors: {
        minConfidence: agent.supervise.minConfidence ?? null,
        repetition: agent.supervise.repetition ?? null,
        ...laterDetectors(agent.supervise),
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
  const generation = event.outcome.value as unknown as Generation;
  const judgement = judge(agent, generation, scope);
  const { conversation } = context;
  return conversation === undefined
    ? { judgement }
    : { judgement, conversation: afterAnswer(conversation, generation.text) };
}

export function judgementOf(context: AgentContext): Judgement {
  assert(context.judgement !== null, 'an answer was judged (A2)');
  return context.judgement;
}

/** As before the first attempt. */
export function fresh(context: AgentContext) {
  return {
    attempt: 0,
    temperature: null,
    attemptSeed: context.seed,
    grounding: null,
    judgement: null,
  };
}

/** Closes the present element with its judgement and turns to the next one. */
export function nextElement(
  context: AgentContext,
  more: { output?: Json; reasons?: readonly string[]; answered?: false } = {},
): Partial<AgentContext> {
  const { reasons = [], ...instead } = more;
  const { conversation } = context;
  const attempts = (conversation?.generations ?? 0) + context.attempt + 1;
  return {
    answers: [
      ...context.answers,
      { ...answerFrom(judgementOf(context), attempts, reasons), ...instead },
    ],
    ...fresh(context),
    ...(conversation === undefined ? {} : { conversation: noConversation }),
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
    { actuator: 'file', operation: step.write.append === true ? 'append' : 'write' },
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

/** For whatever reason, whether or not asking again could help. */
export function isDoubted(context: AgentContext): boolean {
  return judgementOf(context).reasons.length > 0;
}
