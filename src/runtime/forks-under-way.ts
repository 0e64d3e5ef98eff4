/** Forks that have begun and are not done, by the run that they begin with: it must stay as it is. */
import type { RunId } from '../kernel/ids.ts';

export class ForksUnderWay {
  readonly #forks = new Map<Promise<unknown>, RunId>();

  has(run: RunId): boolean {
    return this.#forks.values().some((each) => each === run);
  }

  /** Counts as a fork of the run until it is done, by when the index shows it. */
  async of<Result>(run: RunId, fork: () => Promise<Result>): Promise<Result> {
    const forked = fork();
    this.#forks.set(forked, run);
    try {
      return await forked;
    } finally {
      this.#forks.delete(forked);
    }
  }

  /** Resolves when those that are under way now are done. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#forks.keys());
  }
}
