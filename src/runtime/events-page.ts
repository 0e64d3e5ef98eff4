import { limits } from '../kernel/limits.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { EventView } from './views.ts';

/**
 * The events of a run from `from` on: at most `limit`, and no more than
 * `limits.eventsPageBytesMax` of JSON text unless the first one alone is
 * larger. Empty only where the run has no such event.
 */
export function readEventsPage(
  follower: JournalFollower,
  entry: RunEntry,
  range: { readonly from: number; readonly limit: number },
): readonly EventView[] {
  const events: EventView[] = [];
  const from = Math.max(1, range.from);
  const end = Math.min(entry.events.length, from + range.limit - 1);
  let bytes = 0;
  for (let sequence = from; sequence <= end; sequence += 1) {
    const event = follower.event(entry, sequence);
    bytes += Buffer.byteLength(JSON.stringify(event), 'utf8');
    if (bytes > limits.eventsPageBytesMax && events.length > 0) break;
    events.push(event);
  }
  return events;
}
