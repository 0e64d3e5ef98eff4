/** What a pipeline says of how large the context of an agent with turns may become. */
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';

/** Below this no question fits. */
const charactersMin = 200;
const tokensMin = 50;

const budgetSchema = z
  .strictObject({
    characters: z.number().int().min(charactersMin).max(limits.contextCharactersMax).optional(),
    tokens: z
      .number()
      .int()
      .min(tokensMin)
      .max(limits.contextCharactersMax)
      .optional()
      .describe(
        'Estimated: by the characters for each token that the last answer of the conversation reported, 4 before that.',
      ),
  })
  .refine(
    ({ characters, tokens }) => (characters === undefined) !== (tokens === undefined),
    'either characters or tokens',
  )
  .describe('What the agent is asked on at most, in characters or in tokens.');

export const contextPolicySchema = z
  .strictObject({
    budget: budgetSchema,
    shrinkTo: z
      .number()
      .min(0.1)
      .max(1)
      .default(0.75)
      .describe('Part of the budget that is used after shortening, so that not every turn does.'),
    keep: z
      .strictObject({
        system: z.boolean().default(true).describe('The system prompt stays.'),
        pins: z.boolean().default(true).describe('The pins stay.'),
        lastTurns: z
          .number()
          .int()
          .min(1)
          .max(limits.agentTurnsMax)
          .default(2)
          .describe('Turns that stay, the newest.'),
      })
      .prefault({})
      .describe('What stays whatever it takes; the question always does.'),
  })
  .describe(
    'How the context of an agent with turns is kept small: over the budget, the older turns that share least with the question are left out, and a new context begins. Without it the context only grows.',
  );

export type ContextPolicy = z.output<typeof contextPolicySchema>;
