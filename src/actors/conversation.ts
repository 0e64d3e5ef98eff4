/**
 * The turns of an agent that may read what its calls came to and go on. Pure
 * functions of what the agent keeps of its conversation, whose size does not
 * grow with the turns (law D6): the transcript is the chain behind a hash.
 *
 * Invariants
 *   V1. What a doubted attempt said, and the prompt of its repetition, leave no
 *       trace in what the next attempt is asked on.
 *   V2. A context that was asked on is never asked for again in full: the next
 *       node names it. With a policy a context begins anew once it is too large,
 *       and says what it left out (context-window.ts).
 */
import { assert } from '../kernel/assert.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { Json } from '../kernel/json.ts';
import { type ContextItem, type ContextNode, contextHash } from './context-node.ts';
import type { ContextPolicy } from './context-policy.ts';
import { budgetOf, charactersOf, shortened } from './context-window.ts';
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
  /** Only where the context is kept small. */
  readonly window?: Window;
}

/** What an agent keeps of its context to shorten it; bounded by the budget, not by the turns. */
export interface Window {
  /** Items of `head`. */
  readonly head: readonly ContextItem[];
  /** Items of `asked`, where it is another context. */
  readonly asked?: readonly ContextItem[];
  /** As the last answer had it; null before one. */
  readonly charactersPerToken: number | null;
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
  /** What a conversation begins with: a node of its own, or on top of another conversation. */
  readonly opening: () => ContextNode;
  /** How the context is kept small; without it it grows. */
  readonly policy?: ContextPolicy;
}

/** As it was before its present turn was asked, for another agent to ask again. */
export function beforeAsking(conversation: Conversation, attempts: number): Conversation {
  const { head, generations, window } = conversation;
  const before = { ...conversation, asked: head, generations: generations + attempts };
  if (window === undefined) return before;
  const { asked: _repeated, ...first } = window;
  return { ...before, window: first };
}

/** The context that the next generation is asked on. */
export function nodeToAsk(conversation: Conversation, attempt: Attempt): ContextNode {
  return asking(conversation, attempt).node;
}

/** The items that the last generation was asked on; null where they are not kept. */
export function askedItems({ window }: Conversation): readonly ContextItem[] | null {
  return window === undefined ? null : (window.asked ?? window.head);
}

/** The node, and where there is a policy all items of its context. */
function asking(
  conversation: Conversation,
  attempt: Attempt,
): { readonly node: ContextNode; readonly items: readonly ContextItem[] } {
  const node = appending(conversation, attempt);
  const { policy } = attempt;
  const { window } = conversation;
  if (policy === undefined) return { node, items: [] };
  const isFirst = attempt.attempt === 0;
  const before = isFirst ? askedItems(conversation) : window?.head;
  const items = [...(before ?? []), ...node.items];
  if (node.parent === null) return { node, items };
  const budget = budgetOf(policy, window?.charactersPerToken ?? null);
  const kept = shortened(items, policy, { from: node.parent, budget });
  if (kept === null) return { node, items };
  return { node: { parent: null, items: kept.items, cut: kept.cut }, items: kept.items };
}

/** The context as it goes on by itself (V1). */
function appending(conversation: Conversation, attempt: Attempt): ContextNode {
  const { head, asked, pending } = conversation;
  if (attempt.attempt === 0) {
    return asked === null ? attempt.opening() : { parent: asked, items: pending };
  }
  const { grounding } = attempt;
  const items: ContextItem[] = grounding === null ? [] : [{ role: 'user', content: grounding }];
  return { parent: head, items };
}

export function afterAsking(conversation: Conversation, attempt: Attempt): Conversation {
  const { node, items } = asking(conversation, attempt);
  const asked = contextHash(node); // (V2)
  const isFirst = attempt.attempt === 0;
  const after = { ...conversation, head: isFirst ? asked : conversation.head, asked, pending: [] };
  if (attempt.policy === undefined) return after;
  const { head = [], charactersPerToken = null } = conversation.window ?? {};
  const window = isFirst ? { head: items } : { head, asked: items };
  return { ...after, window: { ...window, charactersPerToken } };
}

/**
 * The answer belongs to the conversation once its call was made.
 * @param promptTokens As the model counted them; 0 where it does not tell.
 */
export function afterAnswer(
  conversation: Conversation,
  text: string,
  promptTokens = 0,
): Conversation {
  const after: Conversation = {
    ...conversation,
    pending: [{ role: 'assistant', content: text }],
  };
  const { window } = conversation;
  const items = askedItems(conversation);
  if (window === undefined || items === null || promptTokens === 0) return after;
  // Rounded, because the state is plain JSON that a person may read.
  const charactersPerToken = Math.round((charactersOf(items) / promptTokens) * 100) / 100;
  return { ...after, window: { ...window, charactersPerToken } };
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
