/** Runs that are over; a late first message must not make an actor of them again. */
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';

/** More than can be open at once, so that nothing on its way is older. */
const forgottenMax = 4 * limits.openRunsMax;

export class ForgottenRuns {
  readonly #runs = new Set<RunId>();

  has(run: RunId): boolean {
    return this.#runs.has(run);
  }

  add(run: RunId): void {
    this.#runs.add(run);
    for (const oldest of this.#runs) {
      if (this.#runs.size <= forgottenMax) break;
      this.#runs.delete(oldest);
    }
  }
}
