/**
 * What an agent does in its step, as pure functions of its context and one
 * event: the question, the judgement, the call, the file, the result.
 */
import { assert } from '../kernel/assert.ts';
import { canonicalJson } from '../kernel/hash.ts';
import type { ActorId } from '../kernel/ids.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { act } from './act.ts';
import { type Answer, answerFrom, resultOf } from './agent-answer.ts';
import { generation } from './agent-question.ts';
import { objectivesOf, watched } from './agent-watch.ts';
import type { ContextItem } from './context-node.ts';
import {
  type Attempt,
  afterAnswer,
  askedItems,
  type Conversation,
  noConversation,
  nodeToAsk,
} from './conversation.ts';
import {
  agentOf,
  definitionOf,
  elementsOf,
  stepOf,
  type TemplateScope,
  templateScope,
} from './definition.ts';
import type { Critique, SettleEvent, StepVariables, TimedEvent, WatchedDoubt } from './event.ts';
import type { Intention } from './intention.ts';
import { type Generation, type Judged, type Judgement, judged } from './judge.ts';
import { mergedFrom } from './merge.ts';
import type { AgentDefinition, PipelineDefinition, StepDefinition } from './pipeline-definition.ts';
import {
  groupAsElement,
  type ReduceDefinition,
  type Reduction,
  reductionOf,
  reductionOutput,
} from './reduction.ts';
import type { StepResult } from './step-result.ts';
import { renderTemplate } from './template.ts';
import { toolCallOf } from './tool-call.ts';
import type { Validation } from './validation.ts';

export const generateTag = 'generate';
export const writeTag = 'write';
/** Who doubts a merge that cites what nobody said. */
export const citationSource = 'citations';

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
  /** Who is asked in place of the agent's model; only once a supervisor has said so. */
  readonly model?: string | null;
  /** Only of a critic: what it decides about. */
  readonly critic?: Critique;
  /** What the panels of the present element took; only of an agent with `validate`. */
  readonly validation?: Validation | null;
}

export type AgentArguments = { context: AgentContext; event: TimedEvent };

interface Plan {
  readonly definition: PipelineDefinition;
  readonly step: StepDefinition;
  readonly agent: AgentDefinition | null;
}

export function planOf(context: AgentContext): Plan {
  const definition = definitionOf(context.definition);
  const { critic } = context;
  const step =
    critic === undefined ? stepOf(definition, context.step) : criticStep(definition, critic);
  return { definition, step, agent: agentOf(definition, step) };
}

/** A critic asks once, in the place of the step's agent, and writes nothing. */
function criticStep(definition: PipelineDefinition, { of, agent }: Critique): StepDefinition {
  const { each: _each, write: _write, ...step } = stepOf(definition, of);
  return { ...step, agent };
}

/** What the agent's templates see. */
function promptScope(context: AgentContext): TemplateScope {
  const { critic, variables } = context;
  if (critic === undefined) return templateScope(variables, currentElement(context));
  const { each, question, answer, reasons } = critic;
  return { ...templateScope(variables, each), question, answer, reasons };
}

export function requireAgent(context: AgentContext): { plan: Plan; agent: AgentDefinition } {
  const plan = planOf(context);
  assert(plan.agent !== null, 'a step without an agent asks nothing');
  return { plan, agent: plan.agent };
}

function reductionFor({ answers, variables }: AgentContext, reduce: ReduceDefinition): Reduction {
  return reductionOf(reduce, variables.items ?? [], answers);
}

export function currentElement(context: AgentContext): Json {
  const { step } = planOf(context);
  if (step.reduce !== undefined) return groupAsElement(reductionFor(context, step.reduce));
  return elementsOf(step, context.variables)[context.answers.length] ?? null;
}

export function hasMoreElements({ context }: { context: AgentContext }): boolean {
  const { step, agent } = planOf(context);
  if (step.reduce !== undefined) return reductionFor(context, step.reduce).group !== null;
  return agent !== null && context.answers.length < elementsOf(step, context.variables).length;
}

export function questionOf(context: AgentContext): string {
  const { agent } = requireAgent(context);
  return renderTemplate(agent.prompt, promptScope(context));
}

/** A message as a model is asked it. */
type Message = { readonly role: 'system' | 'user'; readonly content: string };

export type Opening = Extract<ContextItem, { role: 'system' | 'user' | 'assistant' }> & Message;

/** @param prompt What is asked; without it the question of the step. */
export function openingOf(context: AgentContext, prompt = questionOf(context)): Opening[] {
  const { agent } = requireAgent(context);
  const user: Opening = { role: 'user', content: prompt };
  if (agent.system === undefined && agent.pins === undefined) return [user];
  const scope = promptScope(context);
  const system: Opening[] =
    agent.system === undefined
      ? []
      : [{ role: 'system', content: renderTemplate(agent.system, scope) }];
  const pins = objectivesOf(agent, scope).map(
    ({ text }): Opening => ({ role: 'system', content: text, pin: true }),
  );
  return [...system, ...pins, user];
}

/** As messages: models know one system prompt, so the pins are the end of it. */
export function messagesOf(opening: readonly Opening[]): Message[] {
  const system = opening.filter(({ role }) => role === 'system').map(({ content }) => content);
  const rest = opening.filter(({ role }) => role !== 'system');
  const first: Message[] =
    system.length === 0 ? [] : [{ role: 'system', content: system.join('\n\n') }];
  return [...first, ...rest.map(({ role, content }) => ({ role, content }))];
}

export function attemptOf(context: AgentContext): Attempt {
  const { attempt, grounding } = context;
  const policy = requireAgent(context).agent.context;
  const opening = () => openingOf(context);
  return { attempt, grounding, opening, ...(policy === undefined ? {} : { policy }) };
}

/** What the model is to continue: all of it, or the context that it is added to. */
function askedOn(context: AgentContext): JsonObject {
  const { conversation } = context;
  if (conversation === undefined) {
    return { messages: messagesOf(openingOf(context, context.grounding ?? undefined)) };
  }
  return { context: nodeToAsk(conversation, attemptOf(context)) as unknown as JsonObject };
}

export function generate(context: AgentContext): Intention {
  const { plan, agent } = requireAgent(context);
  const { definition, step } = plan;
  return generation(generateTag, {
    definition,
    step,
    agent,
    asked: askedOn(context),
    model: context.model ?? agent.model ?? null,
    temperature: context.temperature ?? agent.temperature,
    seed: context.attemptSeed,
  });
}

/** What the model was asked on, as one text; null in a conversation that only grows. */
function askedText(context: AgentContext): string | null {
  const { conversation, grounding } = context;
  const items =
    conversation === undefined
      ? openingOf(context, grounding ?? undefined)
      : askedItems(conversation);
  if (items === null) return null;
  return items.flatMap(({ content }) => (typeof content === 'string' ? content : [])).join('\n');
}

export function judgeOutcome({ context, event }: AgentArguments): Partial<AgentContext> {
  assert(event.type === 'outcome' && event.outcome.status === 'completed', 'a completed outcome');
  const { agent } = requireAgent(context);
  const document = context.variables.document?.text ?? '';
  const each = currentElement(context);
  const scope = promptScope(context);
  const generation = event.outcome.value as unknown as Generation;
  const answer = judged(agent, generation, { document, steps: scope.steps, each });
  const { text } = generation;
  const asked = askedText(context);
  const promptTokens = generation.usage?.promptTokens ?? 0;
  const merged = judgeMerge(context, answer);
  const judgement = watched(context, { agent, scope, document, asked, text }, merged);
  const { conversation } = context;
  return conversation === undefined
    ? { judgement }
    : { judgement, conversation: afterAnswer(conversation, text, promptTokens) };
}

/** A merge becomes statements with their sources; what it invents is a doubt. */
function judgeMerge(context: AgentContext, { judgement, findings }: Judged): Judged {
  const { reduce } = planOf(context).step;
  if (reduce === undefined || !judgement.answered) return { judgement, findings };
  const { group } = reductionFor(context, reduce);
  assert(group !== null, 'a group was asked about');
  const { statements, reasons } = mergedFrom(judgement.output, group, reduce);
  const invented = reasons.map((evidence) => ({ source: citationSource, evidence }));
  return {
    judgement: {
      ...judgement,
      output: statements as unknown as Json,
      // A merge of which nothing is left is none.
      answered: statements.length > 0,
      reasons: [...judgement.reasons, ...reasons],
      retry: judgement.retry || reasons.length > 0,
    },
    findings: [...findings, ...invented],
  };
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
    ...(context.model === undefined ? {} : { model: null }),
  };
}

/** Closes the present element with its judgement and turns to the next one. */
export function nextElement(
  context: AgentContext,
  more: { output?: Json; reasons?: readonly string[]; answered?: false } = {},
): Partial<AgentContext> {
  const { reasons = [], ...instead } = more;
  const { conversation, validation } = context;
  const attempts = (conversation?.generations ?? 0) + context.attempt + 1;
  const answer = { ...answerFrom(judgementOf(context), attempts, reasons), ...instead };
  return {
    answers: [...context.answers, validation ? { ...answer, validation } : answer],
    ...fresh(context),
    ...(validation ? { validation: null } : {}),
    ...(conversation === undefined ? {} : { conversation: noConversation }),
  };
}

/** No more attempts: the answer with its doubts, or nothing but work for a human. */
export function settled(context: AgentContext, { handOver }: SettleEvent): Partial<AgentContext> {
  return nextElement(context, handOver === true ? { output: null, answered: false } : {});
}

/** The judgement of an answer that somebody who may has taken as it is. */
export function undoubted(judgement: Judgement): Judgement {
  return { ...judgement, reasons: [], findings: [], retry: false };
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
  const result =
    step.reduce === undefined
      ? resultOf(context.answers, step.each !== undefined)
      : reducedResult(context, step.reduce);
  return written === null ? result : { ...result, output: { ...written, answer: result.output } };
}

/** What could not be merged is there unmerged, so that the step is never given up. */
function reducedResult(context: AgentContext, reduce: ReduceDefinition): StepResult {
  const { answers } = context;
  const reduction = reductionFor(context, reduce);
  const result = resultOf(answers, true);
  const reasons = [...result.reasons, ...reduction.reasons];
  return {
    ...result,
    verdict: reasons.length === 0 ? 'accepted' : 'flagged',
    output: reductionOutput(reduction, answers.length),
    reasons,
  };
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
        ...watchedDoubt(context),
      },
    },
  ];
}

/** For the rules, where there are any. */
function watchedDoubt(context: AgentContext): { watched?: WatchedDoubt } {
  const { findings, again = false, output } = judgementOf(context);
  const { rules } = requireAgent(context).agent.supervise;
  if (findings === undefined || rules === undefined) return {};
  const answer = typeof output === 'string' ? output : canonicalJson(output);
  return { watched: { findings, again, answer } };
}

export function isDoubtful(context: AgentContext): boolean {
  const { reasons, retry } = judgementOf(context);
  return reasons.length > 0 && retry;
}

/** For whatever reason, whether or not asking again could help. */
export function isDoubted(context: AgentContext): boolean {
  return judgementOf(context).reasons.length > 0;
}
