import { assert } from '../kernel/assert.ts';

/**
 * Bounds how many tasks of one actuator run and how many wait. First come,
 * first served.
 */
export class Lane {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #admitted = 0;
  #running = 0;

  constructor(options: { readonly runningMax: number; readonly waitingMax: number }) {
    assert(options.runningMax >= 1, 'a lane runs at least one task');
    this.#runningMax = options.runningMax;
    this.#waitingMax = options.waitingMax;
  }

  /** Whether one more task may come; if so, it counts until `leave`. */
  tryAdmit(): boolean {
    if (this.#admitted >= this.#runningMax + this.#waitingMax) return false;
    this.#admitted += 1;
    return true;
  }

  /** Ends the admission of one task. */
  leave(): void {
    this.#admitted -= 1;
  }

  /** Runs an admitted task when its turn comes. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#runningMax) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The place passes on to the next in line.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
