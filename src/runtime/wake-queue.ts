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

  /** The hosts that asked have ended. */
  clear(): void {
    this.#wakes.clear();
  }

  /** Wakes of a run that has ended need no answer. */
  forgetRun(run: RunId): void {
    for (const wake of this.#wakes) if (wake.run === run) this.#wakes.delete(wake);
  }

  /**
   * Answers whatever can be answered by now.
   * @param adopt Sends the actor to its host; may throw.
   * @param onFailure Hears of a run one of whose actors cannot be woken.
   */
  answer(
    adopt: (host: number, message: AdoptMessage) => void,
    onFailure: (run: RunId, error: unknown) => void,
  ): void {
    for (const wake of this.#wakes) {
      const entry = this.#follower.index.get(wake.run);
      if (entry === undefined) continue;
      const isOver = entry.ended !== null || entry.suspended !== null;
      if (!isOver && !canRehydrate(entry, wake)) continue;
      this.#wakes.delete(wake);
      // The hosts have forgotten the run, or will as soon as they hear of its end.
      if (isOver) continue;
      try {
        adopt(wake.host, rehydrate(this.#follower, entry, wake));
      } catch (error) {
        onFailure(wake.run, error);
      }
    }
  }
}
