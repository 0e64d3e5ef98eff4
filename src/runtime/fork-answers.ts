/**
 * What a fork knows of intentions that were in flight where it began: it is
 * told what its parent came to hear, or what was given instead, and asks only
 * for the rest (law D5).
 */
import type { Outcome } from '../actors/outcome.ts';
import { type ActorId, actorId, type IntentionKey, parseIntentionKey } from '../kernel/ids.ts';
import { eventOf } from './event-record.ts';
import type { FoldedActor } from './fold-run.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { OutcomeMessage } from './topics.ts';

/** An intention whichever run it is in: `actor:sequence:index`. */
export function intentionPlace(key: IntentionKey | string): string {
  const { actor, sequence, index } = parseIntentionKey(key);
  return `${actor}:${sequence}:${index}`;
}

/**
 * The outcomes for what the actors of a fork have open since before it.
 * @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING
 */
export function answersOf(
  follower: JournalFollower,
  entry: RunEntry,
  actors: readonly FoldedActor[],
): OutcomeMessage[] {
  return actors.flatMap(({ actor: { id, open } }) =>
    Object.entries(open).flatMap(([tag, { key }]) => {
      const outcome = inheritedOutcome(follower, entry, intentionPlace(key));
      return outcome === null ? [] : [{ run: entry.id, actor: id, key, tag, outcome }];
    }),
  );
}

function inheritedOutcome(
  follower: JournalFollower,
  entry: RunEntry,
  place: string,
): Outcome | null {
  const { parent } = entry.started;
  const from = parent === undefined ? undefined : follower.index.get(parent.run);
  if (from === undefined || parent === undefined) return null;
  const { actor, sequence } = placeOf(place);
  const before = entry.actors.get(actor)?.events.filter((index) => index < parent.at).length ?? 0;
  if (sequence > before) return null; // Its own.
  return parent.outcomes[place] ?? outcomeAfter(follower, from, { place, after: parent.at });
}

/**
 * What the actor was told of its intention after so many events of the run, or
 * what the run inherits of it where it is a fork itself; null if neither.
 * @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING
 */
export function outcomeAfter(
  follower: JournalFollower,
  entry: RunEntry,
  { place, after }: { place: string; after: number },
): Outcome | null {
  const { actor } = placeOf(place);
  const later = entry.actors.get(actor)?.events.filter((index) => index >= after) ?? [];
  const sequences = later.map((index) => index + 1);
  for (const { record } of follower.records(entry, sequences)) {
    const { event, cause } = eventOf(record, follower.blobsOf(entry.id));
    if (event.type === 'outcome' && cause !== null && intentionPlace(cause) === place) {
      return event.outcome;
    }
  }
  return inheritedOutcome(follower, entry, place);
}

function placeOf(place: string): { readonly actor: ActorId; readonly sequence: number } {
  const [actor = '', sequence] = place.split(':');
  return { actor: actorId(actor), sequence: Number(sequence) };
}
