/**
 * What a fork knows of intentions that were in flight where it began: it is
 * told what its parent came to hear, or what was given instead, and asks only
 * for the rest (law D5).
 */
import type { Outcome } from '../actors/outcome.ts';
import { type ActorId, type IntentionKey, parseIntentionKey } from '../kernel/ids.ts';
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
      const outcome = inheritedOutcome(follower, entry, key);
      return outcome === null ? [] : [{ run: entry.id, actor: id, key, tag, outcome }];
    }),
  );
}

function inheritedOutcome(
  follower: JournalFollower,
  entry: RunEntry,
  key: IntentionKey,
): Outcome | null {
  const { parent } = entry.started;
  const from = parent === undefined ? undefined : follower.index.get(parent.run);
  if (from === undefined || parent === undefined) return null;
  const { actor, sequence } = parseIntentionKey(key);
  const before = entry.actors.get(actor)?.events.filter((index) => index < parent.at).length ?? 0;
  if (sequence > before) return null; // Its own.
  return (
    parent.outcomes[intentionPlace(key)] ??
    recordedOutcome(follower, from, { actor, key, after: parent.at }) ??
    inheritedOutcome(follower, from, key)
  );
}

/** What the actor of the parent was told behind the fork. */
function recordedOutcome(
  follower: JournalFollower,
  entry: RunEntry,
  { actor, key, after }: { actor: ActorId; key: IntentionKey; after: number },
): Outcome | null {
  const place = intentionPlace(key);
  const later = entry.actors.get(actor)?.events.filter((index) => index >= after) ?? [];
  const sequences = later.map((index) => index + 1);
  for (const { record } of follower.records(entry, sequences)) {
    const { event, cause } = eventOf(record, follower.blob);
    if (event.type === 'outcome' && cause !== null && intentionPlace(cause) === place) {
      return event.outcome;
    }
  }
  return null;
}
