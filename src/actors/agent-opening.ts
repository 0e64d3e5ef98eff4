/**
 * What an agent is asked: its prompt, on its own or on top of what another step hands over.
 */
import { assert } from '../kernel/assert.ts';
import { type AgentContext, planOf, promptScope, requireAgent } from './agent-context.ts';
import { objectivesOf } from './agent-watch.ts';
import type { ContextItem, ContextNode } from './context-node.ts';
import type { Attempt } from './conversation.ts';
import { agentOf, stepOf } from './definition.ts';
import { contextObstacle, continued, handoffSnapshot } from './handoff.ts';
import type { Handover } from './handover.ts';
import { renderTemplate } from './template.ts';

/** The prompt of the step, with what another step hands over before it. */
export function questionOf(context: AgentContext): string {
  const { agent } = requireAgent(context);
  const prompt = renderTemplate(agent.prompt, promptScope(context));
  const snapshot = continuedFrom(context) === null ? snapshotOf(context, prompt) : null;
  return snapshot === null ? prompt : `${snapshot}\n\n${prompt}`;
}

/** The step that this one goes on from, and what it came to. */
function senderOf(context: AgentContext) {
  const { definition, step } = planOf(context);
  if (step.handoff === undefined) return null;
  const { from } = step.handoff;
  const result = promptScope(context).steps[from];
  if (result === undefined) return null;
  return { from, result, agent: agentOf(definition, stepOf(definition, from)) };
}

/** The conversation that goes on here; null where none can. */
function continuedFrom(context: AgentContext): Handover | null {
  const sender = senderOf(context);
  const { step, agent } = planOf(context);
  const handover = sender?.result.handover;
  if (handover === undefined || handover.context === null) return null;
  if (step.handoff?.as === 'snapshot') return null;
  return contextObstacle(sender?.agent ?? null, agent) === null ? handover : null;
}

function snapshotOf(context: AgentContext, question: string): string | null {
  const sender = senderOf(context);
  if (sender === null) return null;
  const { from, result, agent } = sender;
  const document = context.variables.document?.text ?? '';
  return handoffSnapshot({ from, role: agent?.role, result, document, question });
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

/** A conversation of its own, or one that goes on from that of another step. */
function openingNode(context: AgentContext): ContextNode {
  const handover = continuedFrom(context);
  if (handover === null) return { parent: null, items: openingOf(context) };
  // A model knows one system prompt, and it has been told one.
  const [message] = messagesOf(openingOf(context).map((item) => ({ ...item, role: 'system' })));
  assert(message !== undefined, 'a prompt says something');
  return continued(handover, message.content);
}

export function attemptOf(context: AgentContext): Attempt {
  const { attempt, grounding } = context;
  const policy = requireAgent(context).agent.context;
  const opening = () => openingNode(context);
  return { attempt, grounding, opening, ...(policy === undefined ? {} : { policy }) };
}
