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

/** What tells how many actors a run has. */
export type RunSize = Pick<RunStartedBody, 'documents' | 'stepsTotal'> &
  Partial<Pick<RunStartedBody, 'machines'>>;

/** Most actors of a run that can be alive at once. */
function actorsOf({ documents, stepsTotal, machines = [] }: RunSize): number {
  // The run and each document have a pipeline and a supervisor; each step has an agent,
  // and at most one panel at a time where the run has any.
  const hasPanels = machines.some((version) => version.startsWith('panel@'));
  return 2 + 2 * documents.length + stepsTotal * (hasPanels ? 2 : 1);
}

export class Admission {
  readonly #index: RunIndex;
  #preparing = 0;
  /** Actors of runs that the index does not show yet. */
  #reserved = 0;

  constructor(index: RunIndex) {
    this.#index = index;
  }

  /**
   * Runs `begin` with a place for one more run held (A1). It calls `admit` as
   * soon as it knows how large the run is.
   * @throws RuntimeError TOO_MANY_RUNS
   */
  async hold<Result>(begin: (admit: (size: RunSize) => void) => Promise<Result>): Promise<Result> {
    const open = this.#index.open().length + this.#preparing;
    if (open >= limits.openRunsMax) {
      throw tooMany(`${open} runs are open, as many as allowed`);
    }
    let reserved = 0;
    this.#preparing += 1;
    try {
      return await begin((size) => {
        this.#requireRoom(size);
        reserved += actorsOf(size);
        this.#reserved += actorsOf(size);
      });
    } finally {
      this.#preparing -= 1;
      this.#reserved -= reserved;
    }
  }

  /** @throws RuntimeError TOO_MANY_RUNS when the actors of the run find no place (A2) */
  #requireRoom(size: RunSize): void {
    const open = this.#index.open().reduce((sum, entry) => sum + actorsOf(entry.started), 0);
    if (open + this.#reserved + actorsOf(size) > limits.directorySlots * directoryLoadMax) {
      throw tooMany('The open runs already have as many actors as the directory holds');
    }
  }
}

function tooMany(what: string): RuntimeError {
  return new RuntimeError('TOO_MANY_RUNS', `${what}; wait until one of them ends.`, {
    retryable: true,
  });
}
