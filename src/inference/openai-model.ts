/**
 * A model behind an OpenAI-compatible endpoint. Asks for a stream with
 * log-probabilities; a server that tells none leaves the confidences null.
 *
 * Invariants
 *   O1. The key goes into the Authorization header and nowhere else, no
 *       message and no other host: redirects are not followed.
 *   O2. Nothing is repeated here; an error says whether a repeat may help. The
 *       one exception is a server that refuses to tell log-probabilities: it is
 *       asked for less, and never for more again.
 */
import { AssertionError } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { AnswerRecorder } from './answer-recorder.ts';
import { type AskedProbabilities, completionBody, protocolError } from './chat-completion.ts';
import { readCompletion } from './completion-reader.ts';
import type { EndpointClient } from './endpoint-client.ts';
import {
  type GenerateOptions,
  type GenerationOutcome,
  type GenerationRequest,
  type ModelInfo,
  type ModelPort,
  refuseOtherParts,
} from './model-port.ts';
import { abortedError, TimeLimit } from './time-limit.ts';

/** A server has this long after its answer to tell the usage and to close. */
const lateMsMax = 1_000;

export class OpenAiModel implements ModelPort {
  readonly #endpoint: EndpointClient;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #name: string;
  /** Some servers refuse log-probabilities, or lists of them, for some models (O2). */
  #probabilities: AskedProbabilities = 'listed';

  constructor(endpoint: EndpointClient, modelName: string) {
    this.#endpoint = endpoint;
    this.#name = modelName;
  }

  /** Its capabilities are what the server has not refused so far. */
  get info(): ModelInfo {
    return {
      name: this.#name,
      backend: 'openai-compatible',
      sha256: null,
      contextTokens: null,
      demonstration: false,
      // Carried whole; whether the model behind it takes them is for the server to say.
      parts: { image: true, audio: true },
      capabilities: {
        confidence: this.#probabilities !== 'none',
        distribution: this.#probabilities === 'listed',
        schema: true,
        seed: true,
        rollback: false,
        deterministic: false,
      },
    };
  }

  async generate(
    request: GenerationRequest,
    options: GenerateOptions = {},
  ): Promise<GenerationOutcome> {
    const closing = this.#closing.signal;
    if (closing.aborted) throw abortedError();
    const signal = options.signal ? AbortSignal.any([options.signal, closing]) : closing;
    const time = new TimeLimit(request.timeoutMs, signal);
    const running = this.#generate(request, options, time).finally(() => time.end());
    const settled = running.catch(() => undefined);
    this.#running.add(settled);
    try {
      return await running;
    } finally {
      this.#running.delete(settled);
    }
  }

  /** What the server holds, it does not tell. */
  async usage(): Promise<null> {
    return null;
  }

  async forget(): Promise<void> {
    // Nothing is kept here of what was asked.
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#running);
  }

  async #generate(
    request: GenerationRequest,
    options: GenerateOptions,
    time: TimeLimit,
  ): Promise<GenerationOutcome> {
    refuseOtherParts(request.messages, this.info);
    // Ends the connection as soon as the answer is over, for whatever reason.
    const connection = new AbortController();
    let lateTimer: NodeJS.Timeout | undefined;
    try {
      const signal = AbortSignal.any([time.signal, connection.signal]);
      const body = await this.#post(request, signal);
      const recorder = new AnswerRecorder(request, options.onToken);
      return await readCompletion(body, recorder, () => {
        lateTimer = setTimeout(() => connection.abort(), lateMsMax);
      });
    } catch (error) {
      if (time.signal.aborted) throw time.error();
      if (error instanceof RuntimeError || error instanceof AssertionError) throw error;
      throw protocolError('its stream broke off', error, true);
    } finally {
      clearTimeout(lateTimer);
      connection.abort();
    }
  }

  async #post(request: GenerationRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    for (;;) {
      const asked = this.#probabilities;
      const body = completionBody(request, { model: this.#name, probabilities: asked });
      try {
        return await this.#endpoint.postForStream('chat/completions', body, signal);
      } catch (error) {
        const less = refusedToLess(error, asked);
        if (less === null) throw error;
        this.#askFor(less);
      }
    }
  }

  /** Another answer may have found out more meanwhile (O2). */
  #askFor(less: AskedProbabilities): void {
    if (this.#probabilities !== 'none') this.#probabilities = less;
  }
}

/** What to ask for after a refusal; null when it was about something else. */
function refusedToLess(error: unknown, asked: AskedProbabilities): AskedProbabilities | null {
  if (!(error instanceof RuntimeError) || error.code !== 'INFERENCE_REJECTED') return null;
  const { status, answer } = error.details;
  const said = String(answer);
  if (asked === 'none' || (status !== 400 && status !== 422) || !/log_?prob/i.test(said))
    return null;
  return asked === 'listed' && /top_?log_?prob/i.test(said) ? 'chosen' : 'none';
}
