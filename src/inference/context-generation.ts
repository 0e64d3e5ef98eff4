/**
 * A generation that is asked on a context instead of on messages: what an
 * intention carries, and what the inference worker is asked.
 */
import { z } from 'zod';
import type { ContextNode } from '../actors/context-node.ts';
import { levelName } from '../identity/clearance.ts';
import type { Sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import { type GenerationRequest, generationRequestSchema } from './model-port.ts';

const contextItemSchema = z.union([
  z.strictObject({
    role: z.enum(['system', 'user', 'assistant']),
    content: z.string(),
    pin: z.literal(true).exactOptional(),
  }),
  z.strictObject({ role: z.literal('tool'), tool: z.string(), content: z.json() }),
]);

const hashSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((text) => text as Sha256);
const count = z.number().int().nonnegative();

/** What was left out, for those who read the journal. */
const cutSchema = z.strictObject({
  from: hashSchema,
  budget: count,
  before: count,
  after: count,
  left: z
    .array(z.strictObject({ item: count, relevance: z.number().min(0).max(1) }))
    .max(limits.chatMessagesMax),
});

const contextNodeSchema = z.strictObject({
  parent: hashSchema.nullable(),
  items: z.array(contextItemSchema).max(limits.contextItemsMax),
  cut: cutSchema.exactOptional(),
});

const parametersSchema = generationRequestSchema.omit({ messages: true });

/** Label of what is asked, which the model is not told. */
const labelled = { label: levelName.optional() };

const contextArgumentsSchema = parametersSchema
  .extend({ context: contextNodeSchema, ...labelled })
  .refine(({ context }) => context.parent !== null || context.items.length > 0, {
    path: ['context'],
    message: 'nothing appended to nothing',
  });

/** Arguments of the intention: all messages, or the new items and the hash of what was before. */
export const generateArgumentsSchema = z.union([
  generationRequestSchema.extend(labelled),
  contextArgumentsSchema,
]);

/** What the worker is asked: the last node of the chain is the context; others may be known from before. */
export const generationQuestionSchema = z.union([
  generationRequestSchema,
  parametersSchema.extend({
    chain: z.array(contextNodeSchema).min(1).max(limits.chatMessagesMax),
  }),
]);

/** A generation without what it is asked on. */
export type GenerationParameters = Omit<GenerationRequest, 'messages'>;
export type ContextArguments = GenerationParameters & { readonly context: ContextNode };
export type GenerationQuestion =
  | GenerationRequest
  | (GenerationParameters & { readonly chain: readonly ContextNode[] });
