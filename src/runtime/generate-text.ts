/** A generation outside every run: nothing of it is journaled. */

import { schemaMismatch } from '../actors/answer-schema.ts';
import type { GenerationOutcome, GenerationRequest } from '../inference/model-port.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Json, JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { InferenceClient } from './inference-worker/client.ts';
import type { GeneratedText, GenerateTextRequest } from './views.ts';

export function generationOf(request: GenerateTextRequest): GenerationRequest {
  const system =
    request.system === undefined ? [] : [{ role: 'system' as const, content: request.system }];
  const parts = request.parts === undefined ? {} : { parts: [...request.parts] };
  return {
    messages: [...system, { role: 'user', content: request.prompt, ...parts }],
    model: request.model ?? null,
    ...(request.privacy === undefined ? {} : { privacy: request.privacy }),
    schema: request.schema ?? null,
    temperature: request.temperature ?? 0,
    seed: request.seed ?? 1,
    maxTokens: request.maxTokens ?? limits.answerTokensMax,
    timeoutMs: limits.generationMsMax,
    detectors: { minConfidence: null, repetition: null },
  };
}

/** @param model Whichever serves by default. */
export function generatedText(model: string, outcome: GenerationOutcome): GeneratedText {
  const { text, tokens, minConfidence, usage, served } = outcome;
  return { model: served?.model ?? model, text, tokens, minConfidence, usage };
}

/**
 * A grammar keeps an answer to its schema; an endpoint may ignore it.
 * @throws RuntimeError INFERENCE_PROTOCOL when a whole answer does not fit.
 */
export function refuseMismatch(request: GenerateTextRequest, outcome: GenerationOutcome): void {
  if (request.schema === undefined || outcome.finish === 'length') return;
  const mismatch = mismatchOf(request.schema, outcome.text);
  if (mismatch === null) return;
  throw new RuntimeError(
    'INFERENCE_PROTOCOL',
    `The answer does not fit the schema (${mismatch}); use an endpoint that keeps to response_format.`,
  );
}

function mismatchOf(schema: JsonObject, text: string): string | null {
  try {
    return schemaMismatch(schema, JSON.parse(text) as Json);
  } catch {
    return 'it is not JSON';
  }
}

type OnToken = (token: { text: string; confidence: number | null }) => void;

/** Has the text generated. @param model Whichever serves by default. */
export async function generateText(
  inference: Pick<InferenceClient, 'generate'>,
  model: string,
  request: GenerateTextRequest,
  onToken?: OnToken,
  signal?: AbortSignal,
): Promise<GeneratedText> {
  const outcome = await inference.generate(generationOf(request), {
    ...(onToken === undefined ? {} : { onToken }),
    ...(signal === undefined ? {} : { signal }),
  });
  refuseMismatch(request, outcome);
  return generatedText(model, outcome);
}
