/**
 * Serves generation requests from the bus with one model: bounded, answered
 * exactly once each, and stopped cooperatively.
 *
 * Invariants
 *   S1. Every accepted or refused request gets one reply, also when the model
 *       failed to load or is closing.
 *   S2. Replies are never shed: one that finds the outbox full is tried again.
 *       Tokens may be.
 */
import type { BusMessage, Endpoint } from '../../bus/endpoint.ts';
import { threadId } from '../../bus/endpoint.ts';
import type { GeneratedToken, ModelPort } from '../../inference/model-port.ts';
import { RuntimeError, toErrorMessage } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import {
  type GenerateMessage,
  generateMessageSchema,
  inferenceTopics,
  type ReplyMessage,
  type TokenNotice,
} from './protocol.ts';

/** Pause before a reply is tried again. */
const replyRetryMs = 5;

type ServiceEndpoint = Pick<Endpoint, 'send' | 'offer'>;

export class InferenceService {
  readonly #endpoint: ServiceEndpoint;
  readonly #model: Promise<ModelPort>;
  readonly #jobs = new Map<string, AbortController>();
  readonly #running = new Set<Promise<void>>();
  #closing = false;

  /** @param model may still be loading, and may fail to: requests wait for it. */
  constructor(endpoint: ServiceEndpoint, model: Promise<ModelPort>) {
    this.#endpoint = endpoint;
    this.#model = model;
    // A load failure is each waiting request's to report.
    model.catch(() => undefined);
  }

  /** Takes a `generate` or `abort` message; answers whether it was one. */
  handle(message: BusMessage): boolean {
    if (message.topic === inferenceTopics.abort) {
      this.#jobs.get(jobName(message))?.abort();
      return true;
    }
    if (message.topic !== inferenceTopics.generate) return false;
    const running = this.#serve(message).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return true;
  }

  /** Stops every generation, replies to all, and frees the model. */
  async close(): Promise<void> {
    this.#closing = true;
    const model = await this.#model.catch(() => null);
    await model?.close();
    await Promise.all(this.#running);
  }

  async #serve(message: BusMessage): Promise<void> {
    const job = new AbortController();
    const name = jobName(message);
    let reply: ReplyMessage;
    try {
      this.#admit(name);
      this.#jobs.set(name, job);
      const parsed = parseGenerate(message.body);
      const model = await this.#model;
      const outcome = await model.generate(parsed.request, {
        signal: job.signal,
        ...queueKeyOf(parsed.label),
        ...this.#tokenListener(message, parsed),
      });
      reply = { type: 'outcome', outcome };
    } catch (error) {
      reply = { type: 'error', error: toErrorMessage(error) };
    }
    // A refused duplicate must not end the job that it duplicates.
    if (this.#jobs.get(name) === job) this.#jobs.delete(name);
    await this.#reply(message, reply); // (S1)
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
    message: BusMessage,
    { streamTo, label }: GenerateMessage,
  ): { onToken?: (token: GeneratedToken) => void } {
    if (streamTo === null) return {};
    const to = threadId(streamTo);
    return {
      onToken: ({ text, confidence, forced }) => {
        const notice: TokenNotice = {
          requester: message.from,
          request: message.correlation,
          label,
          text,
          confidence,
          forced,
        };
        this.#endpoint.offer(to, inferenceTopics.token, notice);
      },
    };
  }

  async #reply(message: BusMessage, reply: ReplyMessage): Promise<void> {
    const send = (body: ReplyMessage): boolean =>
      this.#endpoint.send(message.from, inferenceTopics.reply, body, message.correlation);
    let sent = false;
    try {
      sent = send(reply);
    } catch (error) {
      // An outcome may be too large for a frame; the error that says so is not.
      return this.#reply(message, { type: 'error', error: toErrorMessage(error) });
    }
    if (sent) return;
    await new Promise((resolve) => setTimeout(resolve, replyRetryMs)); // (S2)
    return this.#reply(message, reply);
  }
}

/** The generations of a run are one key, so that runs are served in turns. */
function queueKeyOf(label: GenerateMessage['label']): { queueKey?: string } {
  return typeof label?.run === 'string' ? { queueKey: label.run } : {};
}

function jobName(message: BusMessage): string {
  return `${message.from}:${message.correlation}`;
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
