/** A generation outside every run: nothing of it is journaled. */
import type { GenerationOutcome, GenerationRequest } from '../inference/model-port.ts';
import { limits } from '../kernel/limits.ts';
import type { GeneratedText, GenerateTextRequest } from './views.ts';

export function generationOf(request: GenerateTextRequest): GenerationRequest {
  const system =
    request.system === undefined ? [] : [{ role: 'system' as const, content: request.system }];
  return {
    messages: [...system, { role: 'user', content: request.prompt }],
    schema: request.schema ?? null,
    temperature: request.temperature ?? 0,
    seed: request.seed ?? 1,
    maxTokens: request.maxTokens ?? limits.answerTokensMax,
    timeoutMs: limits.generationMsMax,
    detectors: { minConfidence: null, repetition: null },
  };
}

export function generatedText(model: string, outcome: GenerationOutcome): GeneratedText {
  const { text, tokens, minConfidence, usage } = outcome;
  return { model, text, tokens, minConfidence, usage };
}
