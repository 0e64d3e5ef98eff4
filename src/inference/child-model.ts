/**
 * A model in a process of its own: an abort inside llama.cpp ends that process
 * and nothing else. It is then started again, a few times.
 *
 * Invariants
 *   C1. A generation that a process had begun when it died is refused with a retryable
 *       error, because only the caller knows whether to ask again. One that
 *       still waits for its turn goes to the next process and hears nothing of it.
 *   C2. No process is started before the last one is gone.
 *   C3. The model that comes back is the one that was: a file with another hash is refused.
 *   C4. Too many deaths in a short time are the end: then every generation is
 *       refused, and no repetition is suggested.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type {
  GenerateOptions,
  GenerationOutcome,
  GenerationRequest,
  ModelInfo,
  ModelPort,
  ModelUsage,
} from './model-port.ts';
import { ModelProcess } from './model-process.ts';
import type { ModelSettings } from './open-model.ts';
import { abortedError } from './time-limit.ts';
import { TurnQueue } from './turn-queue.ts';
import { unlessAborted } from './unless-aborted.ts';

export class ChildModel implements ModelPort {
  readonly info: ModelInfo;
  readonly #settings: ModelSettings;
  readonly #clock: Clock;
  readonly #turns: TurnQueue;
  readonly #closing = new AbortController();
  /** Instants of the last deaths, by the monotonic clock. */
  #deaths: number[] = [];
  /** The process that was started last. */
  #latest: ModelProcess;
  /** The process that serves, or will after a restart; rejected for good after the last one (C4). */
  #serving: Promise<ModelProcess>;

  /** Use {@link openChildModel}. */
  constructor(
    settings: ModelSettings,
    first: { readonly process: ModelProcess; readonly info: ModelInfo },
    clock: Clock,
  ) {
    this.info = first.info;
    this.#settings = settings;
    this.#clock = clock;
    const { deterministic = false, sequences = limits.sequencesDefault } = settings;
    this.#turns = new TurnQueue(deterministic ? 1 : sequences);
    this.#latest = first.process;
    this.#serving = this.#serve(first.process);
  }

  async generate(
    request: GenerationRequest,
    options: GenerateOptions = {},
  ): Promise<GenerationOutcome> {
    const closing = this.#closing.signal;
    if (closing.aborted) throw abortedError();
    const { queueKey, priority } = options;
    const signal = options.signal ? AbortSignal.any([options.signal, closing]) : closing;
    const work = async (): Promise<GenerationOutcome> => {
      const serving = await unlessAborted(this.#serving, signal); // (C1)
      return serving.generate(request, { ...options, signal });
    };
    return this.#turns.run(work, { key: queueKey, priority, signal });
  }

  usage(): Promise<ModelUsage | null> {
    return this.#latest.usage();
  }

  async forget(queueKey: string): Promise<void> {
    this.#latest.forget(queueKey);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#latest.close();
    await this.#turns.idle();
  }

  /** The process, whose death from now on brings the next one. */
  #serve(process: ModelProcess): Promise<ModelProcess> {
    // Whoever gets the turn of a generation that died must not find the dead process (C1).
    process.onEnd((reason) => {
      if (this.#closing.signal.aborted) return;
      this.#serving = this.#restart(reason);
      this.#serving.catch(() => undefined);
    });
    return Promise.resolve(process);
  }

  async #restart(reason: string): Promise<ModelProcess> {
    for (let died = reason; ; ) {
      await this.#pauseAfterDeath(died);
      const process = new ModelProcess(this.#settings); // (C2)
      this.#latest = process;
      const info = await process.opened.catch((error: unknown) => {
        if (!isRetryable(error)) throw error;
        return null;
      });
      if (info === null) {
        died = await process.ended;
        continue;
      }
      if (info.sha256 !== this.info.sha256) {
        await process.close();
        throw this.#otherModel(); // (C3)
      }
      return this.#serve(process);
    }
  }

  /** @throws RuntimeError INFERENCE_UNAVAILABLE after too many deaths (C4), INFERENCE_ABORTED at a close. */
  async #pauseAfterDeath(reason: string): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    this.#deaths = this.#deaths.filter((at) => nowMs - at < limits.modelRestartWindowMs);
    this.#deaths.push(nowMs);
    const deaths = this.#deaths.length;
    if (deaths > limits.modelRestartsMax) throw this.#diedTooOften(reason);
    const { signal } = this.#closing;
    const waitMs = limits.modelRestartPauseMs * 2 ** (deaths - 1);
    await pause(waitMs, undefined, { signal }).catch(() => {
      throw abortedError();
    });
  }

  #diedTooOften(reason: string): RuntimeError {
    return new RuntimeError(
      'INFERENCE_UNAVAILABLE',
      `The process of the model ${this.info.name} has ended ${limits.modelRestartsMax + 1} times within ${limits.modelRestartWindowMs / 1_000} s (last: ${reason}) and is not started again; start the runtime again, with another model file if that repeats.`,
    );
  }

  #otherModel(): RuntimeError {
    return new RuntimeError(
      'MODEL_INVALID',
      `The file of the model ${this.info.name} is another one than at the start; start the runtime again to use it.`,
    );
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof RuntimeError && error.retryable;
}

/**
 * Opens a model file in a process of its own.
 * @throws RuntimeError as `openModel`; MODEL_INVALID also when llama.cpp ends the process on the file.
 */
export async function openChildModel(
  settings: ModelSettings,
  clock: Clock = systemClock,
): Promise<ChildModel> {
  // The process is the one that may be lost, so the file needs no trial in another.
  const own: ModelSettings = { ...settings, process: 'thread', trusted: true };
  const process = new ModelProcess(own);
  try {
    return new ChildModel(own, { process, info: await process.opened }, clock);
  } catch (cause) {
    await process.close();
    if (!isRetryable(cause)) throw cause;
    throw new RuntimeError(
      'MODEL_INVALID',
      `The model file ${settings.modelFile ?? settings.embeddedModelFile} cannot be loaded: the process that loads it ends (${await process.ended}); use a GGUF file of a supported architecture that fits into memory.`,
      { cause },
    );
  }
}
