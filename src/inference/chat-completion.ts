/**
 * The wire format of `/chat/completions` with `stream: true`: the body that is
 * sent and the chunks that come back. Unknown members are ignored, because
 * servers add their own.
 */
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import type { JsonObject } from '../kernel/json.ts';
import { readListedTokens } from './listed-tokens.ts';
import type { ChatMessage, ContentPart, GeneratedToken, GenerationRequest } from './model-port.ts';

/** Tokens that are asked for at each place: what servers with a low limit of their own still grant. */
const listedTokens = 5;

/** A server that has no number for a token writes null; it stays unknown. */
const logprobSchema = z.number().max(1e-3).nullable();
const tokenProbabilitySchema = z.object({
  token: z.string(),
  logprob: logprobSchema,
  top_logprobs: z.array(z.object({ logprob: logprobSchema })).nullish(),
});

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

/**
 * What is asked of a server about probabilities: those of the tokens of the answer
 * and of the likeliest at each place, the former alone, or nothing.
 */
export type AskedProbabilities = 'listed' | 'chosen' | 'none';

const probabilityMembers: Readonly<Record<AskedProbabilities, JsonObject>> = {
  listed: { logprobs: true, top_logprobs: listedTokens },
  chosen: { logprobs: true },
  none: {},
};

/** Body of the request. */
export function completionBody(
  request: GenerationRequest,
  options: { model: string; probabilities: AskedProbabilities },
): JsonObject {
  const { schema } = request;
  return {
    model: request.model ?? options.model,
    messages: request.messages.map(messageBody),
    temperature: request.temperature,
    seed: request.seed,
    max_tokens: request.maxTokens,
    stream: true,
    stream_options: { include_usage: true },
    ...probabilityMembers[options.probabilities],
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

function messageBody({ role, content, parts }: ChatMessage): JsonObject {
  if (parts === undefined) return { role, content };
  const text = content === '' ? [] : [{ type: 'text', text: content }];
  return { role, content: [...text, ...parts.map(partBody)] };
}

function partBody(part: ContentPart): JsonObject {
  switch (part.type) {
    case 'image':
      return {
        type: 'image_url',
        image_url: { url: `data:${part.mediaType};base64,${part.base64}` },
      };
    case 'audio':
      return { type: 'input_audio', input_audio: { data: part.base64, format: part.format } };
  }
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
 * may be part of a character), the piece is one token, as doubtful as the most
 * doubtful of all that made it.
 */
export function choiceTokens(choice: CompletionChoice): GeneratedToken[] {
  const text = choice.delta?.content ?? '';
  const listed = (choice.logprobs?.content ?? []).map(listedToken);
  if (listed.map((token) => token.text).join('') === text) return listed;
  if (text === '') return [];
  return [
    {
      text,
      confidence: least(listed.map(({ confidence }) => confidence)),
      forced: false,
      entropy: most(listed.map(({ entropy }) => entropy)),
      margin: least(listed.map(({ margin }) => margin)),
    },
  ];
}

function listedToken({
  token,
  logprob,
  top_logprobs: likeliest,
}: z.output<typeof tokenProbabilitySchema>): GeneratedToken {
  return {
    text: token,
    confidence: logprob === null ? null : Math.min(1, Math.exp(logprob)),
    forced: false,
    ...readListedTokens((likeliest ?? []).flatMap((each) => each.logprob ?? [])),
  };
}

function known(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null);
}

/** Of those that are known; null when none is. */
function least(values: readonly (number | null)[]): number | null {
  return known(values).reduce<number | null>((low, value) => Math.min(low ?? value, value), null);
}

function most(values: readonly (number | null)[]): number | null {
  return known(values).reduce<number | null>((high, value) => Math.max(high ?? value, value), null);
}

export function protocolError(problem: string, cause?: unknown, retryable = false): RuntimeError {
  return new RuntimeError(
    'INFERENCE_PROTOCOL',
    `The model endpoint did not answer as the protocol says: ${problem}; check that OPENCLAW_BASE_URL ends where an OpenAI-compatible API begins, usually /v1.`,
    { cause, retryable },
  );
}
