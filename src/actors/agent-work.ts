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
  afterAsking,
  beforeAsking,
  type CallResult,
  type Conversation,
  nextTurn,
  noConversation,
  nodeToAsk,
  refusedCall,
  resultOfCall,
} from './conversation.ts';
import { agentOf, definitionOf, elementsOf, stepOf, templateScope } from './definition.ts';
import type { AgentProgress, StepVariables, TimedEvent } from './event.ts';
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

function requireAgent(context: AgentContext): { plan: Plan; agent: AgentDefinition } {
  const plan = planOf(context);
  assert(plan.agent !== null, 'a step without an agent asks nothing');
  return { plan, agent: plan.agent };
}

/** A new agent; with `turns` it has a conversation, or goes on with that of a failed one. */
export function begin(context: AgentContext, progress: AgentProgress | undefined): AgentContext {
  if (planOf(context).agent?.turns === undefined) return context;
  return { ...context, ...(progress ?? { conversation: noConversation }) };
}

/** What another agent needs to go on with; a turn that was asked is asked again. */
export function progressOf(context: AgentContext): { progress?: AgentProgress } {
  const { answers, conversation, attempt } = context;
  if (conversation === undefined) return {};
  return { progress: { answers, conversation: beforeAsking(conversation, attempt) } };
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

function attemptOf(context: AgentContext): Attempt {
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

export function generate(context: AgentContext): Intention {
  const { agent } = requireAgent(context);
  return act(
    generateTag,
    { actuator: 'inference', operation: 'generate' },
    {
      ...askedOn(context),
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

/** Once a question is on its way: what was asked on, by hash. */
export function takeAsked({ context }: AgentArguments): Partial<AgentContext> {
  const { conversation } = context;
  return conversation === undefined
    ? {}
    : { conversation: afterAsking(conversation, attemptOf(context)) };
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

function judgementOf(context: AgentContext): Judgement {
  assert(context.judgement !== null, 'an answer was judged (A2)');
  return context.judgement;
}

/** As before the first attempt. */
function fresh(context: AgentContext) {
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

/** Ends an element whose last answer may have been a call that is not made. */
export function endElement(context: AgentContext): Partial<AgentContext> {
  const call = toolCall(context);
  if (call.type === 'refused') return nextElement(context, { reasons: [call.reason] });
  if (call.type === 'none' || isDoubted(context)) return nextElement(context);
  // A call that nobody doubts is made unless no turn is left.
  const turns = (context.conversation?.turn ?? 0) + 1;
  const reasons = [`After ${turns} turns the agent still called a tool instead of answering.`];
  return nextElement(context, { output: null, answered: false, reasons });
}

/** The agent of a conversation is told what its call came to, and goes on. */
function tell(context: AgentContext, result: CallResult): Partial<AgentContext> {
  assert(context.conversation !== undefined, 'there is a conversation to go on with');
  const conversation = nextTurn(context.conversation, result, context.attempt + 1);
  return { ...fresh(context), conversation };
}

export function tellOutcome({ context, event }: AgentArguments): Partial<AgentContext> {
  assert(event.type === 'outcome', 'an outcome');
  const call = toolCall(context);
  assert(call.type === 'call', 'a call was made');
  const template = planOf(context).definition.tools[call.tool]?.result;
  return tell(context, resultOfCall(call.tool, event.outcome, template));
}

export function tellRefusal({ context }: AgentArguments): Partial<AgentContext> {
  const { output } = judgementOf(context);
  const call = toolCall(context);
  assert(call.type === 'refused' && isJsonObject(output), 'a call was refused');
  return tell(context, refusedCall(String(output.tool), call.reason));
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

function isDoubted(context: AgentContext): boolean {
  return judgementOf(context).reasons.length > 0;
}

/** A turn is left in which the agent could read what a call came to. */
function hasTurns(context: AgentContext): boolean {
  const { conversation } = context;
  const { turns } = requireAgent(context).agent;
  return conversation !== undefined && turns !== undefined && conversation.turn + 1 < turns;
}

/** A doubted call is never made, and nothing is called twice for one answer. */
export function mayCall(context: AgentContext): boolean {
  if (isDoubted(context) || toolCall(context).type !== 'call') return false;
  return context.conversation === undefined || hasTurns(context);
}

/** A call that cannot be made is the agent's to correct. */
export function mayTellRefusal(context: AgentContext): boolean {
  return !isDoubted(context) && hasTurns(context) && toolCall(context).type === 'refused';
}
