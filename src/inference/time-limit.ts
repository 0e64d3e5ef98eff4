/**
 * One signal for the two ways in which a generation is told to stop, and the
 * error that belongs to each.
 */
import { RuntimeError } from '../kernel/errors.ts';

export class TimeLimit {
  readonly #timeoutMs: number;
  readonly #abort: AbortSignal | undefined;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = (): void => this.#controller.abort();

  /** Starts counting. @param timeoutMs milliseconds from now. */
  constructor(timeoutMs: number, abort: AbortSignal | undefined) {
    this.#timeoutMs = timeoutMs;
    this.#abort = abort;
    this.#timer = setTimeout(this.#onAbort, timeoutMs);
    if (abort?.aborted) this.#onAbort();
    else abort?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Fires at the time limit or at the abort, whichever is first. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** @throws RuntimeError INFERENCE_ABORTED or INFERENCE_TIMEOUT once the signal has fired. */
  check(): void {
    if (this.signal.aborted) throw this.error();
  }

  /** The error of a signal that has fired. */
  error(): RuntimeError {
    if (this.#abort?.aborted) return abortedError();
    return new RuntimeError(
      'INFERENCE_TIMEOUT',
      `The generation took longer than its limit of ${this.#timeoutMs} ms.`,
      { retryable: true, details: { timeoutMs: this.#timeoutMs } },
    );
  }

  /** Frees the timer; the signal never fires afterwards. */
  end(): void {
    clearTimeout(this.#timer);
    this.#abort?.removeEventListener('abort', this.#onAbort);
  }
}

export function abortedError(): RuntimeError {
  return new RuntimeError('INFERENCE_ABORTED', 'The generation was stopped on request.');
}
