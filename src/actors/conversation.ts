/**
 * The turns of an agent that may read what its calls came to and go on. Pure
 * functions of what the agent keeps of its conversation, whose size does not
 * grow with the turns (law D6): the transcript is the chain behind a hash.
 *
 * Invariants
 *   V1. What a doubted attempt said, and the prompt of its repetition, leave no
 *       trace in what the next attempt is asked on.
 *   V2. A context that was asked on is never asked for again in full: the next
 *       node names it.
 */
import { assert } from '../kernel/assert.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { Json } from '../kernel/json.ts';
import { type ContextItem, type ContextNode, contextHash } from './context-node.ts';
import type { CallHistory } from './detectors/tool-loop.ts';
import type { Outcome } from './outcome.ts';
import { renderTemplate } from './template.ts';

export interface Conversation {
  /** Turns that ended in a call, from 0. */
  readonly turn: number;
  /** What the first attempt of this turn was asked on; null before the first question. */
  readonly head: Sha256 | null;
  /** What the latest attempt was asked on. */
  readonly asked: Sha256 | null;
  /** What the next turn adds to `asked`. */
  readonly pending: readonly ContextItem[];
  /** Generations of the turns before this one. */
  readonly generations: number;
  /** Only where calls are watched. */
  readonly calls?: CallHistory;
}

export const noConversation: Conversation = {
  turn: 0,
  head: null,
  asked: null,
  pending: [],
  generations: 0,
};

export interface Attempt {
  /** From 0. */
  readonly attempt: number;
  /** The prompt of a repetition, or null. */
  readonly grounding: string | null;
  /** What a conversation begins with. */
  readonly opening: () => readonly ContextItem[];
}

/** As it was before its present turn was asked, for another agent to ask again. */
export function beforeAsking(conversation: Conversation, attempts: number): Conversation {
  const { head, generations } = conversation;
  return { ...conversation, asked: head, generations: generations + attempts };
}

/** The context that the next generation is asked on (V1). */
export function nodeToAsk(conversation: Conversation, attempt: Attempt): ContextNode {
  const { head, asked, pending } = conversation;
  if (attempt.attempt === 0) {
    return asked === null
      ? { parent: null, items: attempt.opening() }
      : { parent: asked, items: pending };
  }
  const { grounding } = attempt;
  const items: ContextItem[] = grounding === null ? [] : [{ role: 'user', content: grounding }];
  return { parent: head, items };
}

export function afterAsking(conversation: Conversation, attempt: Attempt): Conversation {
  const asked = contextHash(nodeToAsk(conversation, attempt)); // (V2)
  const head = attempt.attempt === 0 ? asked : conversation.head;
  return { ...conversation, head, asked, pending: [] };
}

/** The answer belongs to the conversation once its call was made. */
export function afterAnswer(conversation: Conversation, text: string): Conversation {
  return { ...conversation, pending: [{ role: 'assistant', content: text }] };
}

/** What the agent is told of a call. */
export interface CallResult {
  readonly tool: string;
  readonly content: Json;
  readonly failed?: true;
}

/** @param template Of the tool, over `result`; without it the result as it is. */
export function resultOfCall(
  tool: string,
  outcome: Outcome,
  template: string | undefined,
): CallResult {
  if (outcome.status !== 'completed') return refusedCall(tool, outcome.error.message);
  const { value } = outcome;
  const content = template === undefined ? value : renderTemplate(template, { result: value });
  return { tool, content };
}

export function refusedCall(tool: string, reason: string): CallResult {
  return { tool, content: `The call failed: ${reason}`, failed: true };
}

/** @param attempts Generations that the ended turn took. */
export function nextTurn(
  conversation: Conversation,
  { tool, content }: CallResult,
  attempts: number,
): Conversation {
  assert(conversation.pending.length === 1, 'the answer of the turn is known');
  return {
    ...conversation,
    turn: conversation.turn + 1,
    pending: [...conversation.pending, { role: 'tool', tool, content }],
    generations: conversation.generations + attempts,
  };
}
