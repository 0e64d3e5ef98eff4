/**
 * One generation outside any run: as a single JSON object, or with
 * `"stream": true` as lines of JSON, each token when it appears. Nothing of it
 * is journaled.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { privacySchema } from '../actors/routing-policy.ts';
import { contentPartsSchema } from '../inference/model-port.ts';
import type { ErrorMessage } from '../kernel/errors.ts';
import type { JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { GeneratedText, GenerateTextRequest, RuntimePort } from '../runtime/views.ts';
import { connectionSignal } from './connection-signal.ts';
import type { ErrorAnswers } from './problem.ts';
import { parseRequest } from './request.ts';

/** One line of the stream. */
export type GenerateLine =
  | { readonly type: 'token'; readonly text: string; readonly confidence: number | null }
  | { readonly type: 'result'; readonly result: GeneratedText }
  | { readonly type: 'error'; readonly error: ErrorMessage };

const generateSchema = z.strictObject({
  prompt: z.string().min(1),
  system: z.string().optional(),
  schema: z.record(z.string(), z.json()).optional(),
  temperature: z.number().min(0).max(2).optional(),
  seed: z.number().int().min(0).max(0xffff_ffff).optional(),
  maxTokens: z.number().int().min(1).max(limits.answerTokensMax).optional(),
  model: z.string().min(1).max(200).optional(),
  privacy: privacySchema.optional(),
  parts: contentPartsSchema.optional(),
  stream: z.boolean().default(false),
});

export function addGenerateRoute(
  app: FastifyInstance,
  runtime: RuntimePort,
  answers: ErrorAnswers,
): void {
  // Images and recordings come inside the body.
  const bodyLimit = limits.requestBodyBytesMax + limits.messagePartsCharactersMax;
  app.post('/v1/generate', { bodyLimit }, async (request, reply) => {
    const { stream, schema, ...rest } = parseRequest(
      generateSchema,
      request.body,
      'The request body',
    );
    const generate = withoutUndefined({
      ...rest,
      ...(schema === undefined ? {} : { schema: schema as JsonObject }),
    });
    const signal = connectionSignal(reply);
    if (!stream) return runtime.generate(generate, undefined, signal);
    return streamGeneration(reply, runtime, { generate, signal, answers });
  });
}

function streamGeneration(
  reply: FastifyReply,
  runtime: RuntimePort,
  {
    generate,
    signal,
    answers,
  }: { generate: GenerateTextRequest; signal: AbortSignal; answers: ErrorAnswers },
): FastifyReply {
  const lines = new Readable({ read: () => undefined, destroy: (_, done) => done(null) });
  const push = (line: GenerateLine): void => {
    // The answer is bounded by its token limit, so the buffer is too.
    if (!lines.destroyed) lines.push(`${JSON.stringify(line)}\n`);
  };
  runtime
    .generate(generate, ({ text, confidence }) => push({ type: 'token', text, confidence }), signal)
    .then(
      (result) => push({ type: 'result', result }),
      (error: unknown) => push({ type: 'error', error: answers.describe(error) }),
    )
    .finally(() => {
      if (!lines.destroyed) lines.push(null);
    });
  return reply.type('application/x-ndjson').send(lines);
}

/** Zod writes absent options as undefined, which exact types do not accept. */
function withoutUndefined(
  request: {
    [Key in keyof GenerateTextRequest]: GenerateTextRequest[Key] | undefined;
  },
): GenerateTextRequest {
  return Object.fromEntries(
    Object.entries(request).filter(([, value]) => value !== undefined),
  ) as unknown as GenerateTextRequest;
}
