/**
 * Serves generation requests from the bus with one model: bounded, answered
 * exactly once each, and stopped cooperatively.
 *
 * Invariants
 *   S1. Every accepted or refused request gets one reply, also when the model
 *       failed to load or is closing.
 *   S2. A reply is never refused: its place in the outbox is reserved before the
 *       request is taken. Tokens may be shed.
 */
import type { Endpoint, FrameHeader, Reservation, ThreadId } from '../../bus/endpoint.ts';
import { threadId } from '../../bus/endpoint.ts';
import { ContextCache } from '../../inference/context-cache.ts';
import type { GenerationQuestion } from '../../inference/context-generation.ts';
import type {
  GeneratedToken,
  GenerateOptions,
  GenerationOutcome,
  GenerationRequest,
  ModelPort,
} from '../../inference/model-port.ts';
import { RuntimeError } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { topics } from '../topics.ts';
import {
  type AbortGenerationMessage,
  type GenerateMessage,
  generateMessageSchema,
  type TokenNotice,
} from './protocol.ts';

type ServiceEndpoint = Pick<Endpoint, 'send'>;

export class InferenceService {
  readonly #endpoint: ServiceEndpoint;
  readonly #model: Promise<ModelPort>;
  readonly #jobs = new Map<string, AbortController>();
  readonly #running = new Set<Promise<void>>();
  readonly #contexts = new ContextCache();
  #closing = false;

  /** @param model may still be loading, and may fail to: requests wait for it. */
  constructor(endpoint: ServiceEndpoint, model: Promise<ModelPort>) {
    this.#endpoint = endpoint;
    this.#model = model;
    // A load failure is each waiting request's to report.
    model.catch(() => undefined);
  }

  /** Serves a request; `place` is where its reply will go (S2). */
  generate(body: unknown, header: FrameHeader, place: Reservation): void {
    const running = this.#serve(body, header, place).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  abort({ call }: AbortGenerationMessage, { from }: FrameHeader): void {
    this.#jobs.get(jobName(from, call))?.abort();
  }

  /** Nobody asks for a run that has ended: what was kept for it goes. */
  async forget(run: string): Promise<void> {
    const model = await this.#model.catch(() => null);
    await model?.forget(run);
  }

  /** Stops every generation, replies to all, and frees the model. */
  async close(): Promise<void> {
    this.#closing = true;
    const model = await this.#model.catch(() => null);
    await model?.close();
    await Promise.all(this.#running);
  }

  async #serve(body: unknown, header: FrameHeader, place: Reservation): Promise<void> {
    try {
      place.reply(header, await this.#outcome(body, header)); // (S1)
    } catch (error) {
      // It may be that the outcome is too large for a frame; the error that says so is not.
      place.replyError(header, error); // (S1)
    }
  }

  async #outcome(body: unknown, header: FrameHeader): Promise<GenerationOutcome> {
    const parsed = parseGenerate(body);
    const name = jobName(header.from, parsed.call);
    this.#admit(name);
    const job = new AbortController();
    this.#jobs.set(name, job);
    try {
      const request = this.#requestOf(parsed.request);
      const model = await this.#model;
      return await model.generate(request, {
        signal: job.signal,
        // A conversation comes back with the result of its call.
        parks: 'chain' in parsed.request,
        ...servedAs(parsed),
        ...this.#tokenListener(header.from, parsed),
      });
    } finally {
      this.#jobs.delete(name);
    }
  }

  #requestOf(question: GenerationQuestion): GenerationRequest {
    if (!('chain' in question)) return question;
    const { chain, ...parameters } = question;
    return { ...parameters, messages: this.#contexts.messages(chain) };
  }

  #admit(name: string): void {
    if (this.#closing) {
      throw new RuntimeError('INFERENCE_ABORTED', 'The inference worker is stopping.');
    }
    if (this.#jobs.size >= limits.actuatorQueueMax || this.#jobs.has(name)) {
      throw new RuntimeError(
        'ACTUATOR_BUSY',
        'The queue of the inference worker is full; start fewer runs at once.',
        { retryable: true },
      );
    }
  }

  #tokenListener(
    requester: ThreadId,
    { call, streamTo, label }: GenerateMessage,
  ): { onToken?: (token: GeneratedToken, place: number) => void } {
    if (streamTo === null) return {};
    const to = threadId(streamTo);
    return {
      onToken: (token, place) => {
        const notice: TokenNotice = { requester, call, label, place, ...token };
        this.#endpoint.send(to, topics.token, notice);
      },
    };
  }
}

/** The generations of a run are one key, so that runs are served in turns; whoever asks without a run waits at a screen. */
function servedAs({
  label,
  request,
}: GenerateMessage): Pick<GenerateOptions, 'queueKey' | 'priority'> {
  if (typeof label?.run !== 'string') return { priority: request.priority ?? 'high' };
  return { queueKey: label.run, priority: request.priority ?? 'normal' };
}

function jobName(requester: ThreadId, call: number): string {
  return `${requester}:${call}`;
}

function parseGenerate(body: unknown): GenerateMessage {
  const parsed = generateMessageSchema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new RuntimeError(
    'REQUEST_INVALID',
    `The generation request is not valid: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}.`,
    { cause: parsed.error },
  );
}
