/**
 * What an agent does in its step, as pure functions of its context and one
 * event: the question, the judgement, the call, the file, the result.
 */
import { assert } from '../kernel/assert.ts';
import { canonicalJson } from '../kernel/hash.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { act } from './act.ts';
import { answerFrom, resultOf } from './agent-answer.ts';
import {
  type AgentArguments,
  type AgentContext,
  currentElement,
  planOf,
  promptScope,
  reductionFor,
  requireAgent,
} from './agent-context.ts';
import { heard, labelOf, labelOfValue } from './agent-label.ts';
import { attemptOf, messagesOf, openingOf, questionOf } from './agent-opening.ts';
import { generation } from './agent-question.ts';
import { objectivesOf, watched } from './agent-watch.ts';
import { afterAnswer, askedItems, noConversation, nodeToAsk } from './conversation.ts';
import { templateScope } from './definition.ts';
import type { SettleEvent, WatchedDoubt } from './event.ts';
import { isHandedOver } from './handoff.ts';
import type { Handover } from './handover.ts';
import type { Intention } from './intention.ts';
import { type Generation, type Judged, type Judgement, judged } from './judge.ts';
import { mergedFrom } from './merge.ts';
import { type ReduceDefinition, reductionOutput } from './reduction.ts';
import type { StepResult } from './step-result.ts';
import { renderTemplate } from './template.ts';
import { toolCallOf } from './tool-call.ts';

export const generateTag = 'generate';
export const writeTag = 'write';
/** Who doubts a merge that cites what nobody said. */
export const citationSource = 'citations';

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
    label: context.label,
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
  const left = handoverOf(context);
  const answer = {
    ...answerFrom(judgementOf(context), attempts, reasons),
    ...instead,
    ...(left === null ? {} : { handover: left }),
  };
  return {
    answers: [...context.answers, validation ? { ...answer, validation } : answer],
    ...fresh(context),
    ...(validation ? { validation: null } : {}),
    ...(conversation === undefined ? {} : { conversation: noConversation }),
  };
}

function handoverOf(context: AgentContext): Handover | null {
  const { plan, agent } = requireAgent(context);
  if (!isHandedOver(plan.definition, context.step)) return null; // (H3)
  const { conversation } = context;
  const [said] = conversation?.pending ?? [];
  const answer = typeof said?.content === 'string' ? said.content : '';
  const objectives = objectivesOf(agent, promptScope(context)).map(({ text }) => text);
  return { context: conversation?.asked ?? null, answer, objectives };
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
    ? {
        ...nextElement(context, { output: { ...call, result: event.outcome.value } }),
        ...heard(context, labelOfValue(event.outcome.value)),
      }
    : nextElement(context, {
        output: { ...call, result: null },
        reasons: [`The tool failed: ${event.outcome.error.message}`],
      });
}

export function toolCall(context: AgentContext) {
  const { plan, agent } = requireAgent(context);
  const { document } = context.variables;
  const { output } = judgementOf(context);
  return toolCallOf(plan.definition, agent, output, { document, label: context.label });
}

export function stepResult(context: AgentContext): StepResult {
  const { step, agent } = planOf(context);
  const written = context.written;
  if (agent === null) {
    const nothing = { verdict: 'accepted', reasons: [], confidence: null, attempts: 0 } as const;
    return { ...nothing, output: written, ...labelOf(context) };
  }
  const answered =
    step.reduce === undefined
      ? resultOf(context.answers, step.each !== undefined)
      : reducedResult(context, step.reduce);
  const result = { ...answered, ...labelOf(context) };
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
      ...labelOf(context),
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
        ...labelOf(context),
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
