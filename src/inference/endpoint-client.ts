/**
 * HTTP to a model endpoint: where it is, how to authorise, and what each
 * refusal means. Never follows a redirect and never shows the key.
 */
import { RuntimeError } from '../kernel/errors.ts';
import type { JsonObject } from '../kernel/json.ts';
import { protocolError } from './chat-completion.ts';

/** Part of a refusal's body that is read and shown. */
const refusalCharactersMax = 300;
const refusalBytesMax = 64 * 1024;
/** A server that asks to wait longer is understood as this. */
const retryAfterMsMax = 3_600_000;
/** A request line that answers none of this is not the protocol. */
const eventStreamType = 'text/event-stream';

export class EndpointClient {
  readonly #base: URL;
  readonly #key: string | null;

  /** @throws RuntimeError CONFIG_INVALID when the address is no http(s) URL or holds a password. */
  constructor(baseUrl: string, apiKey: string | null) {
    const base = URL.parse(baseUrl);
    if (base === null || (base.protocol !== 'http:' && base.protocol !== 'https:')) {
      throw new RuntimeError(
        'CONFIG_INVALID',
        'OPENCLAW_BASE_URL is not an http or https address; give one such as http://127.0.0.1:8080/v1.',
      );
    }
    if (base.username !== '' || base.password !== '') {
      throw new RuntimeError(
        'CONFIG_INVALID',
        'OPENCLAW_BASE_URL holds a user name or password; put the key into OPENCLAW_API_KEY.',
      );
    }
    base.search = '';
    base.hash = '';
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    this.#base = base;
    this.#key = apiKey === null || apiKey === '' ? null : apiKey;
    if (this.#key !== null && !/^[\x21-\x7e]+$/.test(this.#key)) {
      throw new RuntimeError(
        'CONFIG_INVALID',
        'OPENCLAW_API_KEY holds characters that no HTTP header can carry.',
      );
    }
  }

  /**
   * @returns the body of a successful event stream.
   * @throws RuntimeError INFERENCE_UNAVAILABLE, INFERENCE_REJECTED, INFERENCE_PROTOCOL;
   * whatever `fetch` throws when the signal fires.
   */
  async postForStream(
    path: string,
    body: JsonObject,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#fetch(path, signal, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: eventStreamType },
      body: JSON.stringify(body),
    });
    if (!response.headers.get('content-type')?.startsWith(eventStreamType) || !response.body) {
      throw protocolError('it did not stream its answer');
    }
    return response.body;
  }

  /** @throws RuntimeError as {@link postForStream}. */
  async getJson(path: string, signal: AbortSignal): Promise<unknown> {
    const response = await this.#fetch(path, signal, {
      headers: { accept: 'application/json' },
    });
    try {
      return JSON.parse(await readBounded(response, refusalBytesMax * 16));
    } catch (cause) {
      if (signal.aborted) throw cause;
      throw protocolError('its answer is not JSON', cause);
    }
  }

  async #fetch(path: string, signal: AbortSignal, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#key !== null) headers.set('authorization', `Bearer ${this.#key}`);
    let response: Response;
    try {
      response = await fetch(new URL(path, this.#base), {
        ...init,
        headers,
        signal,
        redirect: 'manual', // (O1)
      });
    } catch (cause) {
      if (signal.aborted) throw cause;
      throw this.#unavailable(cause);
    }
    if (response.ok) return response;
    throw await this.#refusal(response, signal);
  }

  #unavailable(cause: unknown): RuntimeError {
    return new RuntimeError(
      'INFERENCE_UNAVAILABLE',
      `The model endpoint ${this.#base.href} cannot be reached; check OPENCLAW_BASE_URL and that the server runs.`,
      { cause, retryable: true },
    );
  }

  async #refusal(response: Response, signal: AbortSignal): Promise<RuntimeError> {
    const { status } = response;
    if (status >= 300 && status < 400) {
      await response.body?.cancel();
      return protocolError(`it redirects (HTTP ${status})`);
    }
    let answer = '';
    try {
      answer = this.#scrub(await readBounded(response, refusalBytesMax));
    } catch (cause) {
      if (signal.aborted) throw cause;
    }
    const said = answer.replace(/\s+/g, ' ').trim().slice(0, refusalCharactersMax);
    const wait = retryAfterMs(response.headers);
    return new RuntimeError(
      'INFERENCE_REJECTED',
      `The model endpoint ${this.#base.href} refused the request with HTTP ${status}${said === '' ? '' : ` (${said})`}; ${remedyOf(status, wait)}.`,
      {
        retryable: status === 408 || status === 429 || status >= 500,
        details: { status, answer: said, ...(wait === null ? {} : { retryAfterMs: wait }) },
      },
    );
  }

  /** A server may repeat the key in its complaint (O1). */
  #scrub(text: string): string {
    return this.#key === null ? text : text.replaceAll(this.#key, '[key]');
  }
}

function remedyOf(status: number, wait: number | null): string {
  if (status === 401 || status === 403) return 'check OPENCLAW_API_KEY';
  if (status === 404) return 'check OPENCLAW_BASE_URL and the model name';
  if (status === 429) {
    const forLong = wait === null ? '' : ` ${Math.ceil(wait / 1_000)} s`;
    return `wait${forLong}, or lower the number of open runs`;
  }
  return status >= 500 ? 'look at the log of the server' : 'check the model name and the schema';
}

/**
 * How long the server asks to wait, in ms: seconds, or a date that is compared with
 * the server's own. Null when it says nothing that can be read.
 */
function retryAfterMs(headers: Headers): number | null {
  const said = headers.get('retry-after')?.trim() ?? '';
  const wait = /^\d{1,9}$/.test(said)
    ? Number(said) * 1_000
    : Date.parse(said) - Date.parse(headers.get('date') ?? '');
  return wait >= 0 ? Math.min(wait, retryAfterMsMax) : null;
}

async function readBounded(response: Response, bytesMax: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
    bytes += piece.byteLength;
    if (bytes > bytesMax) break;
  }
  return Buffer.concat(pieces).toString('utf8');
}
