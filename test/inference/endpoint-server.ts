/**
 * A strict OpenAI-compatible server for tests. It is written from the public
 * description of `POST /v1/chat/completions`: it checks each request, refuses
 * in the form of that API what the API would refuse, and lets the test say how
 * to answer the rest.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

const base64 = z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/);
const textSchema = z.strictObject({ type: z.literal('text'), text: z.string().min(1) });
const userPartSchema = z.discriminatedUnion('type', [
  textSchema,
  z.strictObject({
    type: z.literal('image_url'),
    image_url: z.strictObject({
      url: z.string().regex(/^data:image\/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}$/),
      detail: z.enum(['auto', 'low', 'high']).optional(),
    }),
  }),
  z.strictObject({
    type: z.literal('input_audio'),
    input_audio: z.strictObject({ data: base64, format: z.enum(['wav', 'mp3']) }),
  }),
]);
const messageSchema = z.discriminatedUnion('role', [
  z.strictObject({ role: z.enum(['system', 'assistant']), content: z.string() }),
  z.strictObject({
    role: z.literal('user'),
    content: z.union([z.string(), z.array(userPartSchema).min(1)]),
  }),
]);

const completionRequestSchema = z
  .strictObject({
    model: z.string().min(1),
    messages: z.array(messageSchema).min(1),
    temperature: z.number().min(0).max(2),
    seed: z.number().int(),
    max_tokens: z.number().int().min(1),
    stream: z.literal(true),
    stream_options: z.strictObject({ include_usage: z.literal(true) }),
    logprobs: z.boolean().optional(),
    top_logprobs: z.number().int().min(0).max(20).optional(),
    response_format: z
      .strictObject({
        type: z.literal('json_schema'),
        json_schema: z.strictObject({
          name: z.string().regex(/^[\w-]{1,64}$/),
          strict: z.boolean(),
          schema: z.record(z.string(), z.unknown()),
        }),
      })
      .optional(),
  })
  .refine((body) => body.top_logprobs === undefined || body.logprobs === true, {
    path: ['top_logprobs'],
    message: 'logprobs must be true where top_logprobs is given',
  });

export type CompletionRequest = z.output<typeof completionRequestSchema>;

/** The text of a message, whatever else it holds. */
export function textOf({ content }: CompletionRequest['messages'][number]): string {
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Of the last message: what is asked. */
export function lastText({ messages }: CompletionRequest): string {
  const last = messages.at(-1);
  return last === undefined ? '' : textOf(last);
}

interface Call {
  readonly body: CompletionRequest;
  readonly authorization: string | undefined;
}

export type Answer = (response: ServerResponse, call: Call) => void | Promise<void>;

export interface EndpointServer {
  readonly baseUrl: string;
  readonly calls: readonly Call[];
  /** Resolves when a client has dropped its connection before the answer's end. */
  readonly dropped: Promise<void>;
  close(): Promise<void>;
}

/** What it serves; a request for another model is refused. */
const models = ['first-model', 'm', 'far', 'large'];

/** @param key Whoever does not show it is refused; null: nobody is asked for one, as by local servers. */
export async function startEndpointServer(
  answer: Answer,
  key: string | null = null,
): Promise<EndpointServer> {
  const calls: Call[] = [];
  const dropped = Promise.withResolvers<void>();
  const server = createServer((incoming, response) => {
    response.on('close', () => {
      if (!response.writableEnded) dropped.resolve();
    });
    void serve(incoming, response, { answer, calls, key });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    calls,
    dropped: dropped.promise,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function serve(
  incoming: IncomingMessage,
  response: ServerResponse,
  { answer, calls, key }: { answer: Answer; calls: Call[]; key: string | null },
): Promise<void> {
  const { method, url, headers } = incoming;
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  if (key !== null && headers.authorization !== `Bearer ${key}`) {
    refuse(response, 401, { message: 'Incorrect API key provided.', code: 'invalid_api_key' });
  } else if (method === 'GET' && url === '/v1/models') {
    const data = models.map((id) => ({ id, object: 'model', created: 1, owned_by: 'test' }));
    answerJson(response, 200, { object: 'list', data });
  } else if (method !== 'POST' || url !== '/v1/chat/completions') {
    refuse(response, 404, { message: `Invalid URL (${method} ${url})` });
  } else {
    const body = parseCompletion(Buffer.concat(pieces), headers['content-type'], response);
    if (body === null) return;
    const call = { body, authorization: headers.authorization };
    calls.push(call);
    await answer(response, call);
  }
}

/** @returns null once it has been refused. */
function parseCompletion(
  bytes: Buffer,
  contentType: string | undefined,
  response: ServerResponse,
): CompletionRequest | null {
  let value: unknown = null;
  try {
    if (contentType === 'application/json') value = JSON.parse(bytes.toString('utf8'));
  } catch {
    // Refused below, as what is no object.
  }
  const parsed = completionRequestSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const param = issue?.path.join('.') ?? '';
    refuse(response, 400, { message: issue?.message ?? 'no JSON', param: param || null });
    return null;
  }
  if (models.includes(parsed.data.model)) return parsed.data;
  refuse(response, 404, {
    message: `The model ${parsed.data.model} does not exist.`,
    param: 'model',
    code: 'model_not_found',
  });
  return null;
}

/** An error object of the API. */
export function refuse(
  response: ServerResponse,
  status: number,
  error: { message: string; param?: string | null; code?: string },
  headers: Readonly<Record<string, string>> = {},
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  const type = status >= 500 ? 'server_error' : 'invalid_request_error';
  answerJson(response, status, { error: { type, param: null, code: null, ...error } });
}

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** One event of the stream. */
export function sendEvent(response: ServerResponse, data: unknown): void {
  if (!response.headersSent) {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  }
  response.write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
}

/** A token of the answer: its text, its probability, and those of the likeliest at its place. */
export type ToldToken = readonly [string, number, (readonly number[])?];

/** A chunk with one piece of text, and its tokens where the server tells them. */
export function chunk(
  content: string,
  tokens: readonly ToldToken[] | null,
  finishReason: string | null = null,
): unknown {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    system_fingerprint: null,
    choices: [
      {
        index: 0,
        delta: content === '' ? {} : { content },
        logprobs: tokens === null ? null : { content: tokens.map(toldToken), refusal: null },
        finish_reason: finishReason,
      },
    ],
    usage: null,
  };
}

function toldToken([token, probability, likeliest = []]: ToldToken): unknown {
  return {
    token,
    logprob: Math.log(probability),
    bytes: [...Buffer.from(token)],
    top_logprobs: likeliest.map((each, index) => ({
      token: `${token}${index}`,
      logprob: Math.log(each),
      bytes: null,
    })),
  };
}

export function usageChunk(promptTokens: number, completionTokens: number): unknown {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    choices: [],
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
    },
  };
}

/** Streams a whole answer of one confident token. */
export function sayWhole(response: ServerResponse, text: string): void {
  sendEvent(response, chunk(text, [[text, 0.9]]));
  sendEvent(response, chunk('', null, 'stop'));
  sendEvent(response, usageChunk(5, 1));
  sendEvent(response, '[DONE]');
  response.end();
}
