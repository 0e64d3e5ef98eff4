/**
 * What was in the window of a generation: the items that the model was asked on,
 * and what had left them since the generation before of the same agent. Of the
 * question the journal has its digest and its context, so the agent is folded
 * again to where it asked.
 */
import type { Actor } from '../actors/actor.ts';
import { type ContextItem, type ContextNode, contextHash } from '../actors/context-node.ts';
import { charactersOf } from '../actors/context-window.ts';
import type { ActIntention } from '../actors/intention.ts';
import { readContextChain } from '../actuators/context-chain.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { canonicalJson } from '../kernel/hash.ts';
import type { ActorId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import { type EventBody, eventOf, rawBodyOf } from './event-record.ts';
import { replayStep } from './fold-run.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { LeftItemView, WindowItemView, WindowRequest, WindowView } from './views.ts';

const operation = 'inference.generate';

interface Asked {
  readonly sequence: number;
  readonly items: readonly ContextItem[];
  /** Of an agent with turns. */
  readonly node: ContextNode | null;
}

/**
 * The last generation that was asked for at or before an event.
 * @throws RuntimeError CONTEXT_NOT_FOUND, BLOB_MISSING
 */
export function runWindow(
  follower: JournalFollower,
  entry: RunEntry,
  { at = entry.events.length, actor }: WindowRequest,
): WindowView {
  const generations = generationsUpTo(follower, entry, { at, actor });
  const found = generations.at(-1);
  if (found === undefined) throw notFound(entry, at, actor);
  const own = generations.filter((each) => each.actor === found.actor).slice(-2);
  const asked = questionsOf(
    follower,
    entry,
    found.actor,
    own.map((each) => each.sequence),
  );
  const present = asked.at(-1);
  if (present === undefined) throw notReplayed(entry, found.sequence);
  const answer = answerOf(follower, entry, found);
  const previous = own.length > 1 ? (asked[0] ?? null) : null;
  return {
    actor: found.actor,
    sequence: found.sequence,
    characters: charactersOf(present.items),
    promptTokens: answer?.usage?.promptTokens || null,
    grown: answer?.grown ?? null,
    budget: present.node?.cut?.budget ?? null,
    previous: previous?.sequence ?? null,
    items: present.items.map(itemView),
    left: previous === null ? [] : leftItems(previous, present),
  };
}

interface Generation {
  readonly sequence: number;
  readonly actor: ActorId;
}

function generationsUpTo(
  follower: JournalFollower,
  entry: RunEntry,
  { at, actor }: { readonly at: number; readonly actor: string | undefined },
): Generation[] {
  const known = actor === undefined ? null : entry.actors.get(actor as ActorId);
  const indexes = known === null ? [...entry.events.keys()] : (known?.events ?? []);
  const sequences = indexes.map((index) => index + 1).filter((sequence) => sequence <= at);
  const found: Generation[] = [];
  for (const { sequence, record } of follower.records(entry, sequences)) {
    const body = rawBodyOf(record) as EventBody;
    if (!body.intentions.some(({ target }) => target === operation)) continue;
    found.push({ sequence, actor: body.actor });
  }
  return found;
}

/** What an agent asked at these events, in their order. */
function questionsOf(
  follower: JournalFollower,
  entry: RunEntry,
  id: ActorId,
  wanted: readonly number[],
): Asked[] {
  const blobs = follower.blobsOf(entry.id);
  const last = wanted.at(-1) ?? 0;
  const events = entry.actors.get(id)?.events ?? [];
  const sequences = events.map((index) => index + 1).filter((sequence) => sequence <= last);
  let actor: Actor | undefined;
  const found: Asked[] = [];
  for (const record of follower.records(entry, sequences)) {
    const stepped = replayStep(record, eventOf(record.record, blobs), actor);
    if ('divergence' in stepped) throw notReplayed(entry, record.sequence);
    actor = stepped.effects.actor;
    if (!wanted.includes(record.sequence)) continue;
    for (const { intention } of stepped.effects.acts) {
      found.push({ sequence: record.sequence, ...askedOn(intention, blobs) });
    }
  }
  return found;
}

function askedOn(
  { arguments: given }: ActIntention,
  blobs: ReturnType<JournalFollower['blobsOf']>,
): Omit<Asked, 'sequence'> {
  if (given.context === undefined) {
    return { items: given.messages as unknown as ContextItem[], node: null };
  }
  const node = given.context as unknown as ContextNode;
  const before = node.parent === null ? [] : readContextChain(node.parent, blobs);
  return { items: [...before.flatMap((each) => each.items), ...node.items], node };
}

interface Answer {
  readonly usage?: { readonly promptTokens?: number };
  readonly grown?: { readonly from: number; readonly to: number };
}

/** Null until the model has answered. */
function answerOf(
  follower: JournalFollower,
  entry: RunEntry,
  { actor, sequence }: Generation,
): Answer | null {
  const next = entry.actors.get(actor)?.events.find((index) => index + 1 > sequence);
  if (next === undefined) return null;
  for (const { record } of follower.records(entry, [next + 1])) {
    const { event } = rawBodyOf(record) as EventBody;
    if (event.type !== 'outcome' || event.outcome.status !== 'completed') return null;
    return event.outcome.value as Answer;
  }
  return null;
}

function itemView(item: ContextItem): WindowItemView {
  return {
    role: item.role,
    ...(item.role === 'tool' ? { tool: item.tool } : {}),
    pinned: item.role !== 'tool' && item.pin === true,
    characters: charactersOf([item]),
    content: item.content,
  };
}

/** What the generation before was asked on, and this one is not; each with why, where it was decided. */
function leftItems(previous: Asked, { items, node }: Asked): LeftItemView[] {
  const present = new Map<string, number>();
  for (const item of items) {
    const text = canonicalJson(item as unknown as Json);
    present.set(text, (present.get(text) ?? 0) + 1);
  }
  const reasons = reasonsFor(previous, node);
  return previous.items.flatMap((item, index) => {
    const relevance = reasons.get(index) ?? null;
    const text = canonicalJson(item as unknown as Json);
    const times = present.get(text) ?? 0;
    if (relevance === null && times > 0) {
      present.set(text, times - 1);
      return [];
    }
    return [{ ...itemView(item), relevance }];
  });
}

/** Why items of the context before left, by their places; none where this one does not go on from it. */
function reasonsFor(previous: Asked, node: ContextNode | null): ReadonlyMap<number, number> {
  const { cut } = node ?? {};
  if (cut === undefined || previous.node === null) return new Map();
  if (contextHash(previous.node) !== cut.from) return new Map();
  return new Map(cut.left.map(({ item, relevance }) => [item, relevance]));
}

function notFound(entry: RunEntry, at: number, actor: string | undefined): RuntimeError {
  const who = actor === undefined ? 'No agent' : `The actor ${actor}`;
  return new RuntimeError(
    'CONTEXT_NOT_FOUND',
    `${who} of the run ${entry.id} had asked a model at event ${at}; claw events ${entry.id} shows who does when.`,
  );
}

function notReplayed(entry: RunEntry, sequence: number): RuntimeError {
  return new RuntimeError(
    'CONTEXT_NOT_FOUND',
    `The run ${entry.id} diverges at event ${sequence}, so what was asked there is not known; claw replay ${entry.id} tells more.`,
  );
}
