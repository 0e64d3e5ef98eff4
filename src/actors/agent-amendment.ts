/**
 * What another definition means for an agent that has just asked: its question
 * may be another one now.
 */

import type { AgentContext } from './agent-context.ts';
import { generate } from './agent-work.ts';
import { noConversation } from './conversation.ts';

/**
 * The agent as it was before its open question, under a definition. What a
 * conversation has already said stays said: only its opening is written anew.
 */
export function beforeAsking(context: AgentContext, definition: string): AgentContext {
  const { conversation, attempt } = context;
  const isOpening = conversation !== undefined && conversation.turn === 0 && attempt === 0;
  return { ...context, definition, ...(isOpening ? { conversation: noConversation } : {}) };
}

/** Whether the open question would be another one under the definition. */
export function asksAnother(context: AgentContext, definition: string): boolean {
  const asked = generate(beforeAsking(context, context.definition));
  const now = generate(beforeAsking(context, definition));
  return JSON.stringify(asked) !== JSON.stringify(now);
}
