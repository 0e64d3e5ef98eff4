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

type Example = z.output<typeof exampleSchema>;

function examples(): Example[] {
  const text = readFileSync(new URL('../../models/eval/heldout.jsonl', import.meta.url), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => exampleSchema.parse(JSON.parse(line)));
}

function withoutAnswer({ turns }: Example): ChatMessage[] {
  return turns.slice(0, -1).map(([role, content]) => ({ role, content }));
}

/** @param task Only these; null: of all kinds. */
export function conversations(task: string | null, count: number): ChatMessage[][] {
  const all = examples()
    .filter((example) => task === null || example.task === task)
    .map(withoutAnswer);
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_, index) => index % step === 0).slice(0, count);
}

/** All of them, one of each task in turn, so that any stretch has some of all kinds. */
export function conversationsInTurns(): ChatMessage[][] {
  const byTask = Map.groupBy(examples(), ({ task }) => task);
  const rounds = Math.max(...[...byTask.values()].map((group) => group.length));
  return Array.from({ length: rounds }, (_, round) =>
    [...byTask.values()].flatMap((group) => group[round] ?? []),
  )
    .flat()
    .map(withoutAnswer);
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
