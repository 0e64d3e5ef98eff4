/**
 * What an outcome tells of the choice of its model: journaled with it, so that
 * it can be explained later although speeds and loads are gone.
 */
import { z } from 'zod';
import { privacySchema, taskClasses } from '../actors/routing-policy.ts';

const tokens = z.number().int().nonnegative();
const cost = z.number().nullable();

const attemptSchema = z.strictObject({
  model: z.string(),
  /** Why its answer does not stand; null for the one that does. */
  passedOver: z.string().nullable(),
  minConfidence: z.number().min(0).max(1).nullable(),
  /** Of prompt and answer; 0 when it failed. */
  tokens,
  cost,
});

export const routeRecordSchema = z.strictObject({
  taskClass: z.enum(taskClasses),
  /** What spoke for the class. */
  evidence: z.string(),
  privacy: privacySchema,
  /** Estimated before the answer, and allowed for it. */
  promptTokens: tokens,
  answerTokens: tokens,
  ranked: z.array(
    z.strictObject({
      model: z.string(),
      tier: z.enum(['small', 'large', 'remote']),
      cost,
      reasons: z.array(z.string()),
    }),
  ),
  excluded: z.array(z.strictObject({ model: z.string(), reason: z.string() })),
  /** In the order in which they were asked; the last one answered. */
  attempts: z.array(attemptSchema),
  /** Tokens times parameters; saved: against asking the largest ranked model at once, below 0 where that was cheaper. */
  cost: z.strictObject({ spent: cost, saved: cost }),
});

export type RouteRecord = z.output<typeof routeRecordSchema>;
export type RouteAttempt = z.output<typeof attemptSchema>;
