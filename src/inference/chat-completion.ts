/**
 * The wire format of `/chat/completions` with `stream: true`: the body that is
 * sent and the chunks that come back. Unknown members are ignored, because
 * servers add their own.
 */
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import type { JsonObject } from '../kernel/json.ts';
import type { GeneratedToken, GenerationRequest } from './model-port.ts';

const tokenProbabilitySchema = z.object({ token: z.string(), logprob: z.number().max(1e-3) });

const choiceSchema = z.object({
  delta: z.object({ content: z.string().nullish() }).optional(),
  logprobs: z.object({ content: z.array(tokenProbabilitySchema).nullish() }).nullish(),
  finish_reason: z.string().nullish(),
});

const chunkSchema = z.object({
  choices: z.array(choiceSchema).default([]),
  usage: z
    .object({
      prompt_tokens: z.number().int().min(0),
      completion_tokens: z.number().int().min(0),
    })
    .nullish(),
  error: z.unknown().optional(),
});

export type CompletionChunk = z.output<typeof chunkSchema>;
export type CompletionChoice = CompletionChunk['choices'][number];

/** Body of the request. `logprobs` is left out for servers that refuse it. */
export function completionBody(
  request: GenerationRequest,
  options: { model: string; logprobs: boolean },
): JsonObject {
  const { schema } = request;
  return {
    model: request.model ?? options.model,
    messages: request.messages.map(({ role, content }) => ({ role, content })),
    temperature: request.temperature,
    seed: request.seed,
    max_tokens: request.maxTokens,
    stream: true,
    stream_options: { include_usage: true },
    ...(options.logprobs ? { logprobs: true, top_logprobs: 1 } : {}),
    ...(schema === null
      ? {}
      : {
          response_format: {
            type: 'json_schema',
            json_schema: { name: 'answer', strict: true, schema },
          },
        }),
  };
}

/** @throws RuntimeError INFERENCE_PROTOCOL when the text is no chunk. */
export function parseChunk(data: string): CompletionChunk {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (cause) {
    throw protocolError('a piece of its stream is not JSON', cause);
  }
  const chunk = chunkSchema.safeParse(value);
  if (!chunk.success)
    throw protocolError('a piece of its stream is no completion chunk', chunk.error);
  return chunk.data;
}

/**
 * Tokens of one choice. Where the listed tokens do not spell the text (a token
 * may be part of a character), the piece is one token with the least
 * probability of all that made it.
 */
export function choiceTokens(choice: CompletionChoice): GeneratedToken[] {
  const text = choice.delta?.content ?? '';
  const listed = (choice.logprobs?.content ?? []).map(({ token, logprob }) => ({
    text: token,
    confidence: Math.min(1, Math.exp(logprob)),
    forced: false,
    entropy: null,
    margin: null,
  }));
  if (listed.map((token) => token.text).join('') === text) return listed;
  if (text === '') return [];
  const confidence =
    listed.length === 0 ? null : Math.min(...listed.map((token) => token.confidence));
  return [{ text, confidence, forced: false, entropy: null, margin: null }];
}

export function protocolError(problem: string, cause?: unknown, retryable = false): RuntimeError {
  return new RuntimeError(
    'INFERENCE_PROTOCOL',
    `The model endpoint did not answer as the protocol says: ${problem}; check that OPENCLAW_BASE_URL ends where an OpenAI-compatible API begins, usually /v1.`,
    { cause, retryable },
  );
}
