/**
 * Places for executions that run at once: one more waits its turn, and too
 * many that wait are refused.
 */

/** What came of asking for a place. */
type Place = 'entered' | 'full' | 'aborted';

export class ExecutionPlaces {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(bounds: { readonly runningMax: number; readonly waitingMax: number }) {
    this.#runningMax = bounds.runningMax;
    this.#waitingMax = bounds.waitingMax;
  }

  /** Takes a place, waiting for it if need be; whoever entered leaves once. */
  async enter(signal: AbortSignal | undefined): Promise<Place> {
    if (signal?.aborted) return 'aborted';
    if (this.#running < this.#runningMax) {
      this.#running += 1;
      return 'entered';
    }
    if (this.#waiting.length >= this.#waitingMax) return 'full';
    const { promise, resolve } = Promise.withResolvers<Place>();
    const onPlace = (): void => resolve('entered');
    const onAbort = (): void => {
      const index = this.#waiting.indexOf(onPlace);
      if (index < 0) return; // The place is taken, and whoever has it gives it back.
      this.#waiting.splice(index, 1);
      resolve('aborted');
    };
    this.#waiting.push(onPlace);
    signal?.addEventListener('abort', onAbort, { once: true });
    return promise.finally(() => signal?.removeEventListener('abort', onAbort));
  }

  /** Nobody has a place. */
  get isEmpty(): boolean {
    return this.#running === 0;
  }

  leave(): void {
    const next = this.#waiting.shift();
    // The place passes on to the next in line.
    if (next === undefined) this.#running -= 1;
    else next();
  }
}
