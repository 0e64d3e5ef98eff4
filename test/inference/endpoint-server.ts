/**
 * A strict OpenAI-compatible server for tests: checks each request against the
 * specification and lets the test say how to answer.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

const completionRequestSchema = z.strictObject({
  model: z.string().min(1),
  messages: z
    .array(z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string() }))
    .min(1),
  temperature: z.number().min(0).max(2),
  seed: z.number().int(),
  max_tokens: z.number().int().min(1),
  stream: z.literal(true),
  stream_options: z.strictObject({ include_usage: z.literal(true) }),
  logprobs: z.literal(true).optional(),
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
});

export type CompletionRequest = z.output<typeof completionRequestSchema>;

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

export async function startEndpointServer(answer: Answer): Promise<EndpointServer> {
  const calls: Call[] = [];
  const dropped = Promise.withResolvers<void>();
  const server = createServer((incoming, response) => {
    response.on('close', () => {
      if (!response.writableEnded) dropped.resolve();
    });
    void serve(incoming, response, answer, calls);
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
  answer: Answer,
  calls: Call[],
): Promise<void> {
  if (incoming.method === 'GET' && incoming.url === '/v1/models') {
    answerJson(response, 200, { object: 'list', data: [{ id: 'first-model', object: 'model' }] });
    return;
  }
  if (incoming.method !== 'POST' || incoming.url !== '/v1/chat/completions') {
    answerJson(response, 404, {
      error: { message: `no route ${incoming.method} ${incoming.url}` },
    });
    return;
  }
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  const body = completionRequestSchema.safeParse(
    JSON.parse(Buffer.concat(pieces).toString('utf8')),
  );
  if (!body.success || incoming.headers['content-type'] !== 'application/json') {
    answerJson(response, 400, { error: { message: `malformed request: ${body.error?.message}` } });
    return;
  }
  const call = { body: body.data, authorization: incoming.headers.authorization };
  calls.push(call);
  await answer(response, call);
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

/** A chunk with one piece of text, and its tokens where the server tells them. */
export function chunk(
  content: string,
  tokens: readonly (readonly [string, number])[] | null,
  finishReason: string | null = null,
): unknown {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [
      {
        index: 0,
        delta: content === '' ? {} : { content },
        logprobs:
          tokens === null
            ? null
            : {
                content: tokens.map(([token, probability]) => ({
                  token,
                  logprob: Math.log(probability),
                  bytes: [...Buffer.from(token)],
                  top_logprobs: [{ token, logprob: Math.log(probability), bytes: null }],
                })),
              },
        finish_reason: finishReason,
      },
    ],
    usage: null,
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
