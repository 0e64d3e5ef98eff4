/**
 * Which items of a conversation stay in what the agent is asked on, when it has
 * become too large: decided by words alone, without a model. Pure.
 *
 * Invariants
 *   W1. What the policy keeps stays, though it is over the budget; the record
 *       says how large the context is then.
 *   W2. A turn stays or leaves whole: no result without its call.
 *   W3. The items that stay keep their order.
 */
import { canonicalJson, type Sha256 } from '../kernel/hash.ts';
import type { ContextItem } from './context-node.ts';
import type { ContextPolicy } from './context-policy.ts';
import { stems } from './stems.ts';

/** An item that left, and why. */
export interface LeftItem {
  /** Its place among those of `from`, from 0. */
  readonly item: number;
  /** Part of the question's words that its turn shares, 0 to 1. */
  readonly relevance: number;
}

/** The record of a shortening, in the node of the context that it made. */
export interface Cut {
  /** The context that was to be continued. */
  readonly from: Sha256;
  /** Characters that a context may have, that this one would have had, and has. */
  readonly budget: number;
  readonly before: number;
  readonly after: number;
  readonly left: readonly LeftItem[];
}

/** Characters of a token where no answer has told how many there are. */
const charactersPerTokenDefault = 4;

/** What stays or leaves together (W2). */
interface Unit {
  readonly items: readonly number[];
  readonly stays: boolean;
}

function textOf({ content }: ContextItem): string {
  return typeof content === 'string' ? content : canonicalJson(content);
}

export function charactersOf(items: readonly ContextItem[]): number {
  return items.reduce((sum, item) => sum + textOf(item).length, 0);
}

/** Characters that the policy allows. */
export function budgetOf({ budget }: ContextPolicy, charactersPerToken: number | null): number {
  const { characters, tokens = 0 } = budget;
  return characters ?? Math.floor(tokens * (charactersPerToken ?? charactersPerTokenDefault));
}

function staysInOpening(item: ContextItem, { keep }: ContextPolicy): boolean {
  if (item.role !== 'system') return true;
  return item.pin === true ? keep.pins : keep.system;
}

/** The turns of a conversation: each from the prompt of a repetition, or from its answer, on. */
function turnsOf(items: readonly ContextItem[], from: number): number[][] {
  const turns: number[][] = [];
  for (let index = from; index < items.length; index += 1) {
    const role = items[index]?.role;
    const isRepeated = items[index - 1]?.role === 'user' && index > from;
    if (role === 'user' || (role === 'assistant' && !isRepeated)) turns.push([]);
    turns.at(-1)?.push(index);
  }
  return turns;
}

function unitsOf(items: readonly ContextItem[], policy: ContextPolicy): Unit[] {
  const answered = items.findIndex(({ role }) => role === 'assistant');
  const opening = answered === -1 ? items.length : answered;
  const first = items.slice(0, opening).map((item, index) => {
    return { items: [index], stays: staysInOpening(item, policy) };
  });
  const turns = turnsOf(items, opening);
  // The prompt of a repetition that is only being asked is no turn yet.
  const isOpen = items.at(-1)?.role === 'user' && turns.length > 0;
  const lastTurns = policy.keep.lastTurns + (isOpen ? 1 : 0);
  const rest = turns.map((turn, index) => {
    return { items: turn, stays: index >= turns.length - lastTurns };
  });
  return [...first, ...rest];
}

function relevanceOf(text: string, asked: ReadonlySet<string>): number {
  if (asked.size === 0) return 0;
  const shared = [...stems(text)].filter((stem) => asked.has(stem)).length;
  return Math.round((shared / asked.size) * 100) / 100;
}

/** What is asked now: the question, and what the agent has just said or is told. */
function questionOf(items: readonly ContextItem[]): ReadonlySet<string> {
  const prompt = items.find(({ role }) => role === 'user');
  const latest = items.findLast(({ role }) => role !== 'tool');
  return stems([prompt, latest].map((item) => (item === undefined ? '' : textOf(item))).join('\n'));
}

/**
 * The items that stay, and the record of what leaves; null where all may stay,
 * or nothing may leave.
 * @param items of `from` and behind them those that are new.
 * @param budget In characters, as `budgetOf` says.
 */
export function shortened(
  items: readonly ContextItem[],
  policy: ContextPolicy,
  { from, budget }: Pick<Cut, 'from' | 'budget'>,
): { readonly items: readonly ContextItem[]; readonly cut: Cut } | null {
  const before = charactersOf(items);
  if (before <= budget) return null;
  const asked = questionOf(items);
  const candidates = unitsOf(items, policy)
    .filter(({ stays }) => !stays) // (W1)
    .map((unit) => {
      const own = unit.items.flatMap((index) => items[index] ?? []);
      const relevance = relevanceOf(own.map(textOf).join('\n'), asked);
      return { indexes: unit.items, characters: charactersOf(own), relevance };
    })
    // Of the same relevance the oldest goes first; the sort is stable.
    .toSorted((one, other) => one.relevance - other.relevance);
  const left = new Map<number, number>();
  let after = before;
  for (const { indexes, characters, relevance } of candidates) {
    if (after <= budget * policy.shrinkTo) break;
    for (const index of indexes) left.set(index, relevance);
    after -= characters;
  }
  if (left.size === 0) return null;
  const record = [...left].map(([item, relevance]) => ({ item, relevance }));
  return {
    items: items.filter((_, index) => !left.has(index)), // (W3)
    cut: {
      from,
      budget,
      before,
      after,
      left: record.toSorted((one, other) => one.item - other.item),
    },
  };
}
