/** Who waits for the end of which run. */
import type { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import type { RunView } from './views.ts';

export class RunEndings {
  readonly #waiting = new Map<RunId, PromiseWithResolvers<RunView>>();

  wait(run: RunId): Promise<RunView> {
    let ending = this.#waiting.get(run);
    if (ending === undefined) {
      ending = Promise.withResolvers();
      // Whoever asked may have gone; a failure without listener is no fault.
      ending.promise.catch(() => undefined);
      this.#waiting.set(run, ending);
    }
    return ending.promise;
  }

  resolve(run: RunId, view: RunView): void {
    this.#waiting.get(run)?.resolve(view);
    this.#waiting.delete(run);
  }

  /** Nobody will hear of any run again. */
  fail(error: RuntimeError): void {
    for (const ending of this.#waiting.values()) ending.reject(error);
    this.#waiting.clear();
  }
}
