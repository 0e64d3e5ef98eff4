/**
 * How a model is chosen for a generation, as data: of a pipeline or of the
 * configuration. The choice itself is made where the models are
 * (inference/router.ts) and is part of the outcome.
 */
import { z } from 'zod';

/** What a generation is for, as far as its words tell. */
export const taskClasses = [
  'extraction',
  'routing',
  'question',
  'tool-call',
  'plan',
  'summary',
  'check',
  'decision',
  'chat',
] as const;

export type TaskClass = (typeof taskClasses)[number];

const tierSchema = z.enum(['small', 'large', 'remote']);

/** Whom a prompt may be shown to: models on this machine alone, or endpoints too. */
export const privacySchema = z
  .enum(['local-only', 'any'])
  .describe('local-only: no endpoint sees the prompt, whoever would be asked.');

export type Privacy = z.output<typeof privacySchema>;

export const routingPolicySchema = z
  .strictObject({
    prefer: z
      .partialRecord(z.enum(taskClasses), tierSchema)
      .optional()
      .describe(
        'Tier of models that is asked first for a class of tasks; else plans and summaries go to large ones, all else to small ones.',
      ),
    remote: z
      .enum(['last', 'never'])
      .optional()
      .describe('Endpoints are asked last, unless a class prefers them, or never.'),
    device: z
      .enum(['cpu', 'gpu'])
      .optional()
      .describe('Only models that work there are asked; an endpoint does not say where it works.'),
    escalate: z
      .strictObject({
        below: z
          .number()
          .min(0)
          .max(1)
          .describe(
            'Least probability of a free token at which the answer of a small model stands.',
          ),
      })
      .optional()
      .describe('The small model is asked first, and a larger one when its answer is doubtful.'),
    maxCost: z
      .number()
      .positive()
      .optional()
      .describe(
        'Tokens times parameters that one generation may cost; a model whose cost is not known is then not asked.',
      ),
  })
  .describe('How a model is chosen for agents that name none.');

export type RoutingPolicy = z.output<typeof routingPolicySchema>;
