/**
 * Decides whether one more run may begin: bounded in number, and in the actors
 * that the shared directory has to hold.
 *
 * Invariants
 *   A1. A run counts from the moment it is asked for, not from its first
 *       record, so that many at once cannot slip through.
 *   A2. The directory has a slot for every actor of every admitted run.
 */
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { RunStartedBody } from './event-record.ts';
import type { RunIndex } from './run-index.ts';

/** A hash table that is fuller than this gets slow. */
const directoryLoadMax = 0.5;

/** Most actors of a run that can be alive at once. */
function actorsOf(started: Pick<RunStartedBody, 'documents' | 'stepsTotal'>): number {
  // The run and each document have a pipeline and a supervisor; each step has an agent.
  return 2 + 2 * started.documents.length + started.stepsTotal;
}

export class Admission {
  readonly #index: RunIndex;
  #preparing = 0;

  constructor(index: RunIndex) {
    this.#index = index;
  }

  /**
   * Runs `prepare` with a place for one more run held (A1).
   * @throws RuntimeError TOO_MANY_RUNS
   */
  async hold<Result>(prepare: () => Promise<Result>): Promise<Result> {
    const open = this.#index.open().length + this.#preparing;
    if (open >= limits.openRunsMax) {
      throw tooMany(`${open} runs are open, as many as allowed`);
    }
    this.#preparing += 1;
    try {
      return await prepare();
    } finally {
      this.#preparing -= 1;
    }
  }

  /** @throws RuntimeError TOO_MANY_RUNS when the actors of the run find no place (A2) */
  requireRoom(started: Pick<RunStartedBody, 'documents' | 'stepsTotal'>): void {
    const taken = this.#index.open().reduce((sum, entry) => sum + actorsOf(entry.started), 0);
    if (taken + actorsOf(started) > limits.directorySlots * directoryLoadMax) {
      throw tooMany('The open runs already have as many actors as the directory holds');
    }
  }
}

function tooMany(what: string): RuntimeError {
  return new RuntimeError('TOO_MANY_RUNS', `${what}; wait until one of them ends.`, {
    retryable: true,
  });
}
