/**
 * The turns of an agent, as pure functions of its context and one event: what
 * its conversation (conversation.ts) takes from its work, and when it goes on.
 * An agent without turns passes through here unchanged.
 */
import { assert } from '../kernel/assert.ts';
import { isJsonObject } from '../kernel/json.ts';
import { type AgentArguments, type AgentContext, planOf, requireAgent } from './agent-context.ts';
import { heard, labelOf, labelOfValue } from './agent-label.ts';
import { attemptOf } from './agent-opening.ts';
import { callIn } from './agent-watch.ts';
import { fresh, isDoubted, judgementOf, nextElement, toolCall } from './agent-work.ts';
import {
  afterAsking,
  beforeAsking,
  type CallResult,
  nextTurn,
  noConversation,
  refusedCall,
  resultOfCall,
} from './conversation.ts';
import { afterCall, noCalls } from './detectors/tool-loop.ts';
import type { AgentProgress } from './event.ts';

/** A new agent. */
export function started({ context, event }: AgentArguments): AgentContext {
  assert(event.type === 'start' && event.machine === 'agent', 'an agent is started as one');
  const { self, parent, definition, step, variables, seed, critic, reading, progress } = event;
  const own = { self, parent, definition, step, variables, seed, attemptSeed: seed };
  const begun = { ...context, ...own, ...(critic === undefined ? {} : { critic }) };
  return begin({ ...begun, ...heard(begun, reading?.label, progress?.label) }, progress);
}

/** With `turns` it has a conversation, or goes on with that of a failed one. */
function begin(context: AgentContext, progress: AgentProgress | undefined): AgentContext {
  if (planOf(context).agent?.turns === undefined) return context;
  const { answers = context.answers, conversation = noConversation } = progress ?? {};
  return { ...context, answers, conversation };
}

/** What another agent needs to go on with; a turn that was asked is asked again. */
export function progressOf(context: AgentContext): { progress?: AgentProgress } {
  const { answers, conversation, attempt } = context;
  if (conversation === undefined) return {};
  const progress = { answers, conversation: beforeAsking(conversation, attempt) };
  return { progress: { ...progress, ...labelOf(context) } };
}

/** Once a question is on its way: what was asked on, by hash. */
export function takeAsked({ context }: AgentArguments): Partial<AgentContext> {
  const { conversation } = context;
  return conversation === undefined
    ? {}
    : { conversation: afterAsking(conversation, attemptOf(context)) };
}

/** By its name in the answer, whatever has become of the tool since. */
function calledTool(context: AgentContext): string {
  const { output } = judgementOf(context);
  assert(isJsonObject(output) && typeof output.tool === 'string', 'a tool was called');
  return output.tool;
}

/** The agent of a conversation is told what its call came to, and goes on. */
function tell(context: AgentContext, result: CallResult): Partial<AgentContext> {
  assert(context.conversation !== undefined, 'there is a conversation to go on with');
  const conversation = nextTurn(context.conversation, result, context.attempt + 1);
  return { ...fresh(context), conversation: { ...conversation, ...callsAfter(context, result) } };
}

/** The history of calls with this one, where calls are watched. */
function callsAfter(context: AgentContext, { content, failed }: CallResult): object {
  const { supervise } = requireAgent(context).agent;
  const call = callIn(judgementOf(context));
  const isWatched = supervise.toolLoop !== undefined || supervise.failingCalls !== undefined;
  if (!isWatched || call === null) return {};
  const calls = context.conversation?.calls ?? noCalls;
  return { calls: afterCall(calls, call, { content, failed: failed === true }) };
}

export function tellOutcome({ context, event }: AgentArguments): Partial<AgentContext> {
  assert(event.type === 'outcome', 'an outcome');
  const tool = calledTool(context);
  const template = planOf(context).definition.tools[tool]?.result;
  const told = tell(context, resultOfCall(tool, event.outcome, template));
  const { outcome } = event;
  const label = outcome.status === 'completed' ? labelOfValue(outcome.value) : undefined;
  return { ...told, ...heard(context, label) };
}

export function tellRefusal({ context }: AgentArguments): Partial<AgentContext> {
  const call = toolCall(context);
  assert(call.type === 'refused', 'a call was refused');
  return tell(context, refusedCall(calledTool(context), call.reason));
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
