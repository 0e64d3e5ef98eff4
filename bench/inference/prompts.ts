/** Questions for the embedded model: conversations of its held-out set, without their last answer. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { ChatMessage, GenerationRequest } from '../../src/inference/model-port.ts';
import type { JsonObject } from '../../src/kernel/json.ts';

/** Tokens of an answer at most. */
export const maxTokens = 120;

const exampleSchema = z.object({
  task: z.string(),
  turns: z.array(z.tuple([z.enum(['system', 'user', 'assistant']), z.string()])),
});

/** @param task Only these; null: of all kinds. */
export function conversations(task: string | null, count: number): ChatMessage[][] {
  const text = readFileSync(new URL('../../models/eval/heldout.jsonl', import.meta.url), 'utf8');
  const all = text
    .trim()
    .split('\n')
    .map((line) => exampleSchema.parse(JSON.parse(line)))
    .filter((example) => task === null || example.task === task)
    .map(({ turns }) => turns.slice(0, -1).map(([role, content]) => ({ role, content })));
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_, index) => index % step === 0).slice(0, count);
}

export function request(messages: ChatMessage[], schema: JsonObject | null): GenerationRequest {
  return {
    messages,
    schema,
    temperature: 0,
    seed: 1,
    maxTokens,
    timeoutMs: 60_000,
    // Both run over every token; neither can fire here.
    detectors: { minConfidence: 0, repetition: 64 },
  };
}
