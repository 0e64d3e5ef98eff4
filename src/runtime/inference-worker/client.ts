/**
 * The inference worker as other threads see it: `startInferenceWorker` for the
 * thread that owns it, `InferenceClient` for every thread that generates.
 */
import { Worker } from 'node:worker_threads';
import type { BusSeat, Endpoint, ThreadId } from '../../bus/endpoint.ts';
import type { GenerationQuestion } from '../../inference/context-generation.ts';
import type { GenerateOptions, GenerationOutcome, ModelInfo } from '../../inference/model-port.ts';
import type { ModelStatus } from '../../inference/model-status.ts';
import type { RoutedModelsSettings } from '../../inference/routed-models.ts';
import { abortedError } from '../../inference/time-limit.ts';
import { fromErrorMessage, RuntimeError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { limits } from '../../kernel/limits.ts';
import { siblingModule } from '../../kernel/module-url.ts';
import { inferenceThread, topics } from '../topics.ts';
import type { InferenceWorkerData, ReloadedModel, StatusMessage, TokenNotice } from './protocol.ts';

type ClientEndpoint = Pick<Endpoint, 'self' | 'send' | 'request'>;

/** Pause before a full outbox is asked again to take the order to close. */
const closeRetryMs = 5;

export interface InferenceCallOptions extends GenerateOptions {
  /** Names the answer for whoever watches live tokens; needs `streamTo` of the client. */
  label?: JsonObject;
}

/** Generates through the inference worker, from any thread with an event loop. */
export class InferenceClient {
  readonly #endpoint: ClientEndpoint;
  readonly #streamTo: ThreadId | null;
  /** Who hears the tokens of the open calls. */
  readonly #calls = new Map<number, GenerateOptions['onToken']>();
  #lastCall = 0;

  /** @param options.streamTo Thread that hears the tokens of labelled calls. */
  constructor(endpoint: ClientEndpoint, options: { readonly streamTo?: ThreadId } = {}) {
    this.#endpoint = endpoint;
    this.#streamTo = options.streamTo ?? null;
  }

  /**
   * As `ModelPort.generate`, and on contexts. Tokens go to `onToken` when it is given, else to
   * the client's `streamTo` thread when there is a label; they may be shed.
   * @throws RuntimeError also CONTEXT_UNKNOWN, ACTUATOR_BUSY and OUTBOX_FULL, both retryable,
   *   REQUEST_INVALID, and BUS_THREAD_ENDED.
   */
  async generate(
    request: GenerationQuestion,
    options: InferenceCallOptions = {},
  ): Promise<GenerationOutcome> {
    const { signal, onToken, label = null } = options;
    if (signal?.aborted) throw abortedError();
    if (this.#calls.size >= limits.actuatorQueueMax) {
      const message = 'Too many generations wait; start fewer runs at once.';
      throw new RuntimeError('ACTUATOR_BUSY', message, { retryable: true });
    }
    this.#lastCall += 1;
    const call = this.#lastCall;
    const streamTo = onToken ? this.#endpoint.self : label === null ? null : this.#streamTo;
    const givenUp = new AbortController();
    const onAbort = (): void => {
      // The worker replies to an abort; where it cannot hear it, the caller is freed here.
      const told = this.#endpoint.send(inferenceThread, topics.abortGeneration, { call });
      if (!told) givenUp.abort(abortedError());
    };
    this.#calls.set(call, onToken);
    try {
      const outcome = this.#endpoint.request(
        inferenceThread,
        topics.generate,
        { call, request, streamTo, label },
        { deadlineMs: limits.generationReplyMsMax, signal: givenUp.signal },
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      return await outcome;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#calls.delete(call);
    }
  }

  /** Every model of the worker, as it is now. @throws RuntimeError as `Endpoint.request` */
  models(): Promise<readonly ModelStatus[]> {
    const options = { deadlineMs: limits.generationReplyMsMax };
    return this.#endpoint.request(inferenceThread, topics.models, null, options);
  }

  /** @throws RuntimeError as `ModelSet.reload` and `Endpoint.request` */
  reloadModel(name: string): Promise<ReloadedModel> {
    const options = { deadlineMs: limits.generationReplyMsMax };
    return this.#endpoint.request(inferenceThread, topics.reloadModel, { name }, options);
  }

  /** Takes a token of a call of this client; false for all others. */
  takeToken({ requester, call, label: _label, place, ...token }: TokenNotice): boolean {
    const onToken = requester === this.#endpoint.self ? this.#calls.get(call) : undefined;
    onToken?.(token, place);
    return onToken !== undefined;
  }
}

export interface InferenceWorkerOptions {
  /** Endpoint of the main thread, which starts the worker. */
  readonly endpoint: Pick<Endpoint, 'send' | 'on'>;
  /** The worker's own seat on the bus. */
  readonly seat: BusSeat;
  readonly models: RoutedModelsSettings;
  /** Called once when the thread has ended, with an error unless somebody closed it. */
  readonly onEnded?: (error: RuntimeError | null) => void;
}

/** The running worker, as its owner holds it. */
export interface InferenceWorker {
  /** The model that serves; rejects with the code of the load failure. */
  readonly ready: Promise<ModelInfo>;
  /**
   * Stops all generations, frees the model and ends the thread. Resolves after
   * limits.shutdownMsMax at the latest; a thread that is still inside the model
   * then is left to the end of the process, because ending it would crash.
   */
  close(): Promise<void>;
}

/** Starts the worker thread; the model loads behind `ready`. */
export function startInferenceWorker(options: InferenceWorkerOptions): InferenceWorker {
  return new WorkerHandle(options);
}

class WorkerHandle implements InferenceWorker {
  readonly #endpoint: Pick<Endpoint, 'send' | 'on'>;
  readonly #worker: Worker;
  readonly #ready = Promise.withResolvers<ModelInfo>();
  readonly #exited = Promise.withResolvers<void>();
  #failure: RuntimeError | null = null;
  #closing: Promise<void> | null = null;

  constructor({ endpoint, seat, models, onEnded }: InferenceWorkerOptions) {
    this.#endpoint = endpoint;
    endpoint.on(topics.modelStatus, (status) => this.#take(status));
    const workerData: InferenceWorkerData = { spec: seat.spec, models };
    this.#worker = new Worker(siblingModule(import.meta.url, 'entry'), {
      workerData,
      transferList: seat.transferList,
      name: 'inference',
    });
    this.#ready.promise.catch(() => undefined);
    this.#worker.on('error', (cause) => {
      this.#failure = new RuntimeError('INTERNAL', 'The inference worker failed.', { cause });
    });
    this.#worker.on('exit', () => {
      const error = this.#failure ?? new RuntimeError('INTERNAL', 'The inference worker ended.');
      this.#ready.reject(error);
      this.#exited.resolve();
      onEnded?.(this.#closing === null ? error : null);
    });
  }

  get ready(): Promise<ModelInfo> {
    return this.#ready.promise;
  }

  #take(status: StatusMessage): void {
    if (status.type === 'ready') this.#ready.resolve(status.info);
    if (status.type === 'failed') {
      this.#ready.reject(fromErrorMessage(status.error));
      void this.close();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, limits.shutdownMsMax);
    let retry: NodeJS.Timeout | undefined;
    const ask = (): void => {
      const asked = this.#endpoint.send(inferenceThread, topics.close, null);
      if (!asked) retry = setTimeout(ask, closeRetryMs);
    };
    ask();
    await Promise.race([this.#exited.promise, deadline.promise]);
    clearTimeout(retry);
    clearTimeout(timer);
    this.#worker.unref();
  }
}
