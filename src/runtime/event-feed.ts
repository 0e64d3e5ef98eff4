/**
 * Hands the events of runs to listeners: the backlog first, then what comes,
 * in order, none lost and none twice.
 *
 * Invariants
 *   F1. A subscription is a cursor over the run's list of events; being told
 *       of news only makes it look again.
 *   F2. Long backlogs are handed over in slices, so that timers and I/O get
 *       their turn.
 */
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { EventView } from './views.ts';

interface Subscription {
  readonly entry: RunEntry;
  readonly listener: (event: EventView) => void;
  next: number;
  scheduled: NodeJS.Immediate | null;
}

export class EventFeed {
  readonly #follower: JournalFollower;
  readonly #onFailure: (error: unknown) => void;
  readonly #subscriptions = new Map<RunId, Set<Subscription>>();

  /** @param onFailure Hears of an event that cannot be read; its subscription ends. */
  constructor(follower: JournalFollower, onFailure: (error: unknown) => void) {
    this.#follower = follower;
    this.#onFailure = onFailure;
  }

  /** Calls the listener for each event from sequence `from` on, until the returned function is called. */
  subscribe(entry: RunEntry, from: number, listener: (event: EventView) => void): () => void {
    const subscription: Subscription = {
      entry,
      listener,
      next: Math.max(1, from),
      scheduled: null,
    };
    const ofRun = this.#subscriptions.get(entry.id) ?? new Set();
    this.#subscriptions.set(entry.id, ofRun.add(subscription));
    this.#schedule(subscription);
    return () => {
      // A second call must not take the set of somebody who came later.
      if (!ofRun.delete(subscription)) return;
      if (ofRun.size === 0) this.#subscriptions.delete(entry.id);
      if (subscription.scheduled !== null) clearImmediate(subscription.scheduled);
      subscription.scheduled = null;
    };
  }

  /** Whether somebody is being handed events of the run, or waits for more. */
  isRead(run: RunId): boolean {
    return (this.#subscriptions.get(run)?.size ?? 0) > 0;
  }

  /** The run has more events than before. */
  notify(run: RunId): void {
    for (const subscription of this.#subscriptions.get(run) ?? []) this.#schedule(subscription);
  }

  #schedule(subscription: Subscription): void {
    subscription.scheduled ??= setImmediate(() => {
      subscription.scheduled = null;
      try {
        this.#pump(subscription);
      } catch (error) {
        this.#subscriptions.get(subscription.entry.id)?.delete(subscription);
        this.#onFailure(error);
      }
    });
  }

  #pump(subscription: Subscription): void {
    const { entry } = subscription;
    const end = Math.min(entry.events.length, subscription.next + limits.drainFramesMax - 1);
    while (subscription.next <= end) {
      if (this.#subscriptions.get(entry.id)?.has(subscription) !== true) return;
      const event = this.#follower.event(entry, subscription.next);
      subscription.next += 1;
      subscription.listener(event);
    }
    if (subscription.next <= entry.events.length) this.#schedule(subscription); // (F2)
  }
}
