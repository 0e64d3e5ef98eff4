import { join } from 'node:path';
import type { GenerationRequest } from '../../src/inference/model-port.ts';

export const embeddedModelFile = join(import.meta.dirname, '../../models/tiny-agent.gguf');

export const draftModelFile = join(import.meta.dirname, '../../models/tiny-agent-draft.gguf');

/** Takes long: the model has to fill a long list. */
export function longRequest(changes: Partial<GenerationRequest> = {}): GenerationRequest {
  return request('Hello!', {
    schema: { type: 'array', items: { type: 'string' }, minItems: 900 },
    maxTokens: 300,
    // On a busy machine too.
    timeoutMs: 110_000,
    ...changes,
  });
}

/** A request with one user turn; `changes` overrides any member. */
export function request(
  prompt: string,
  changes: Partial<GenerationRequest> = {},
): GenerationRequest {
  return {
    messages: [{ role: 'user', content: prompt }],
    schema: null,
    temperature: 0,
    seed: 1,
    maxTokens: 120,
    timeoutMs: 20_000,
    detectors: { minConfidence: null, repetition: null },
    ...changes,
  };
}
