/**
 * The inference worker as other threads see it: `startInferenceWorker` for the
 * thread that owns it, `InferenceClient` for every thread that generates.
 * Neither listens on the endpoint; the thread's own loop hands messages over.
 */
import { Worker } from 'node:worker_threads';
import type { BusMessage, BusSeat, Endpoint, ThreadId } from '../../bus/endpoint.ts';
import type {
  GenerateOptions,
  GenerationOutcome,
  GenerationRequest,
  ModelInfo,
} from '../../inference/model-port.ts';
import type { ModelSettings } from '../../inference/open-model.ts';
import { abortedError } from '../../inference/time-limit.ts';
import { fromErrorMessage, RuntimeError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { limits } from '../../kernel/limits.ts';
import { siblingModule } from '../../kernel/module-url.ts';
import {
  type GenerateMessage,
  type InferenceWorkerData,
  inferenceTopics,
  type ReplyMessage,
  readTokenNotice,
  type StatusMessage,
} from './protocol.ts';

type ClientEndpoint = Pick<Endpoint, 'self' | 'send'>;

const correlationMax = 2 ** 32 - 1;
/** Pause before a full outbox is asked again to take the order to close. */
const closeRetryMs = 5;

export interface InferenceCallOptions extends GenerateOptions {
  /** Names the answer for whoever watches live tokens; needs `streamTo` of the client. */
  label?: JsonObject;
}

interface PendingCall {
  readonly resolve: (outcome: GenerationOutcome) => void;
  readonly reject: (error: RuntimeError) => void;
  readonly onToken: GenerateOptions['onToken'];
}

/** Generates through the inference worker, from any thread with an endpoint. */
export class InferenceClient {
  readonly #endpoint: ClientEndpoint;
  readonly #worker: ThreadId;
  readonly #streamTo: ThreadId | null;
  readonly #pending = new Map<number, PendingCall>();
  #lastCall = 0;

  /** @param options.streamTo Thread that hears the tokens of labelled calls. */
  constructor(
    endpoint: ClientEndpoint,
    options: { readonly worker: ThreadId; readonly streamTo?: ThreadId },
  ) {
    this.#endpoint = endpoint;
    this.#worker = options.worker;
    this.#streamTo = options.streamTo ?? null;
  }

  /**
   * As `ModelPort.generate`. Tokens go to `onToken` when it is given, else to
   * the client's `streamTo` thread when there is a label; they may be shed.
   * @throws RuntimeError also ACTUATOR_BUSY and OUTBOX_FULL, both retryable, and REQUEST_INVALID.
   */
  async generate(
    request: GenerationRequest,
    options: InferenceCallOptions = {},
  ): Promise<GenerationOutcome> {
    const { signal } = options;
    if (signal?.aborted) throw abortedError();
    if (this.#pending.size >= limits.actuatorQueueMax) {
      throw new RuntimeError(
        'ACTUATOR_BUSY',
        'Too many generations wait; start fewer runs at once.',
        {
          retryable: true,
        },
      );
    }
    const call = this.#nextCall();
    const { promise, resolve, reject } = Promise.withResolvers<GenerationOutcome>();
    this.#send(call, request, options);
    this.#pending.set(call, { resolve, reject, onToken: options.onToken });
    const onAbort = (): void => this.#abort(call);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#pending.delete(call);
    }
  }

  /** Takes a message that belongs to this client; false for all others. */
  handle(message: BusMessage): boolean {
    if (message.topic === inferenceTopics.token) return this.#handleToken(message);
    if (message.topic !== inferenceTopics.reply || message.from !== this.#worker) return false;
    const pending = this.#pending.get(message.correlation);
    const reply = message.body as ReplyMessage;
    if (reply.type === 'outcome') pending?.resolve(reply.outcome);
    else pending?.reject(fromErrorMessage(reply.error));
    return true;
  }

  /** Fails every call that waits: the worker is gone. */
  fail(error: RuntimeError): void {
    for (const call of this.#pending.values()) call.reject(error);
  }

  #handleToken(message: BusMessage): boolean {
    const notice = readTokenNotice(message);
    if (notice === null || notice.requester !== this.#endpoint.self) return false;
    const onToken = this.#pending.get(notice.request)?.onToken;
    if (onToken === undefined) return false;
    onToken({ text: notice.text, confidence: notice.confidence, forced: notice.forced });
    return true;
  }

  #send(call: number, request: GenerationRequest, options: InferenceCallOptions): void {
    const label = options.label ?? null;
    const listener = label === null ? null : this.#streamTo;
    const body: GenerateMessage = {
      request,
      streamTo: options.onToken ? this.#endpoint.self : listener,
      label,
    };
    if (this.#endpoint.send(this.#worker, inferenceTopics.generate, body, call)) return;
    throw new RuntimeError('OUTBOX_FULL', 'The inference worker takes no more messages just now.', {
      retryable: true,
    });
  }

  /** The worker replies to an abort; where it cannot hear it, the caller is freed here. */
  #abort(call: number): void {
    if (this.#endpoint.send(this.#worker, inferenceTopics.abort, null, call)) return;
    this.#pending.get(call)?.reject(abortedError());
  }

  #nextCall(): number {
    do {
      this.#lastCall = this.#lastCall === correlationMax ? 1 : this.#lastCall + 1;
    } while (this.#pending.has(this.#lastCall));
    return this.#lastCall;
  }
}

export interface InferenceWorkerOptions {
  /** Endpoint of the thread that starts the worker. */
  readonly endpoint: ClientEndpoint;
  /** The worker's own seat on the bus. */
  readonly seat: BusSeat;
  readonly model: ModelSettings;
  /** Called once when the thread ends although nobody closed it. */
  readonly onFailure?: (error: RuntimeError) => void;
}

/** The running worker, as its owner holds it. */
export interface InferenceWorker {
  /** The model that serves; rejects with the code of the load failure. */
  readonly ready: Promise<ModelInfo>;
  /** Takes a status message of the worker; false for all others. */
  handle(message: BusMessage): boolean;
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
  readonly #endpoint: ClientEndpoint;
  readonly #id: ThreadId;
  readonly #worker: Worker;
  readonly #ready = Promise.withResolvers<ModelInfo>();
  readonly #exited = Promise.withResolvers<void>();
  #failure: RuntimeError | null = null;
  #closing: Promise<void> | null = null;

  constructor({ endpoint, seat, model, onFailure }: InferenceWorkerOptions) {
    this.#endpoint = endpoint;
    this.#id = seat.spec.self;
    const workerData: InferenceWorkerData = { spec: seat.spec, owner: endpoint.self, model };
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
      if (this.#closing === null) onFailure?.(error);
    });
  }

  get ready(): Promise<ModelInfo> {
    return this.#ready.promise;
  }

  handle(message: BusMessage): boolean {
    if (message.topic !== inferenceTopics.status || message.from !== this.#id) return false;
    const status = message.body as StatusMessage;
    if (status.type === 'ready') this.#ready.resolve(status.info);
    if (status.type === 'failed') {
      this.#ready.reject(fromErrorMessage(status.error));
      void this.close();
    }
    return true;
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
      const asked = this.#endpoint.send(this.#id, inferenceTopics.close, null);
      if (!asked) retry = setTimeout(ask, closeRetryMs);
    };
    ask();
    await Promise.race([this.#exited.promise, deadline.promise]);
    clearTimeout(retry);
    clearTimeout(timer);
    this.#worker.unref();
  }
}
