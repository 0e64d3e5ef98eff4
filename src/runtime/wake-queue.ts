/**
 * Hosts that wait for a hibernated actor. A wake is answered once the journal
 * shows the snapshot that the actor left behind.
 */
import type { RunId } from '../kernel/ids.ts';
import type { JournalFollower } from './journal-follower.ts';
import { canRehydrate, rehydrate } from './rehydrate.ts';
import type { AdoptMessage, WakeMessage } from './topics.ts';

export class WakeQueue {
  readonly #follower: JournalFollower;
  readonly #wakes = new Set<WakeMessage>();

  constructor(follower: JournalFollower) {
    this.#follower = follower;
  }

  add(wake: WakeMessage): void {
    this.#wakes.add(wake);
  }

  /** Wakes of a run that has ended need no answer. */
  forgetRun(run: RunId): void {
    for (const wake of this.#wakes) if (wake.run === run) this.#wakes.delete(wake);
  }

  /**
   * Answers whatever can be answered by now.
   * @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING
   */
  answer(adopt: (host: number, message: AdoptMessage) => void): void {
    for (const wake of this.#wakes) {
      const entry = this.#follower.index.get(wake.run);
      if (entry === undefined || !canRehydrate(entry, wake)) continue;
      this.#wakes.delete(wake);
      adopt(wake.host, rehydrate(this.#follower, entry, wake));
    }
  }
}
