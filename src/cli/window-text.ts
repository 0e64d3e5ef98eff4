/** The window of a generation in words: what was in it, and what had left it. */
import { canonicalJson } from '../kernel/hash.ts';
import type { LeftItemView, WindowItemView, WindowView } from '../runtime/views.ts';
import { alignedRows } from './aligned-rows.ts';

/** Characters of an item that are shown. */
const contentShown = 100;

const header: readonly string[] = ['', 'ROLE', 'CHARACTERS', 'CONTENT'];
const leftHeader: readonly string[] = ['', 'ROLE', 'CHARACTERS', 'RELEVANCE', 'CONTENT'];

function contentText({ content }: WindowItemView): string {
  const text = typeof content === 'string' ? content : canonicalJson(content);
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= contentShown ? line : `${line.slice(0, contentShown)}…`;
}

function cells(item: WindowItemView): string[] {
  const role = item.tool === undefined ? item.role : `${item.role} ${item.tool}`;
  return [item.pinned ? 'PIN' : '', role, String(item.characters)];
}

function leftCells(item: LeftItemView): string[] {
  return [
    ...cells(item),
    item.relevance === null ? '-' : String(item.relevance),
    contentText(item),
  ];
}

export function windowText(window: WindowView): string {
  const { actor, sequence, characters, promptTokens, budget, previous, grown, items, left } =
    window;
  const tokens = promptTokens === null ? '' : `, ${promptTokens} tokens`;
  const allowed = budget === null ? '' : `, shortened for a budget of ${budget}`;
  const larger =
    grown === null ? '' : `, the context grew from ${grown.from} to ${grown.to} tokens for it`;
  const inside = [
    `Asked by ${actor} at event ${sequence}: ${characters} characters${tokens}${allowed}${larger}`,
    ...alignedRows([header, ...items.map((item) => [...cells(item), contentText(item)])]),
  ];
  if (previous === null) return [...inside, 'It is the first question of this agent.'].join('\n');
  const since = `since it asked at event ${previous}`;
  if (left.length === 0) return [...inside, `Nothing has left ${since}.`].join('\n');
  const gone = alignedRows([leftHeader, ...left.map(leftCells)]);
  return [...inside, `Has left ${since}:`, ...gone].join('\n');
}
