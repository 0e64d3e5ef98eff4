/** An outcome as it reaches a host, parsed before any actor sees it. */
import { z } from 'zod';
import { assert } from '../kernel/assert.ts';
import type { OutcomeMessage } from './topics.ts';

const errorSchema = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean().optional(),
  retryAfterMs: z.number().nonnegative().optional(),
});

const outcomeMessageSchema = z.strictObject({
  run: z.string(),
  actor: z.string(),
  key: z.string(),
  tag: z.string(),
  outcome: z.union([
    z.strictObject({ status: z.literal('completed'), value: z.json() }),
    z.strictObject({ status: z.enum(['failed', 'refused', 'unknown']), error: errorSchema }),
  ]),
});

/** @throws AssertionError when the actuators sent something else. */
export function parseOutcomeMessage(body: unknown): OutcomeMessage {
  const parsed = outcomeMessageSchema.safeParse(body);
  assert(parsed.success, 'the actuators send outcomes that fit their schema');
  // The brands are given back: ids were checked when the intention was made.
  return parsed.data as OutcomeMessage;
}
