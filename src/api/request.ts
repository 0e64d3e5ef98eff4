/** Bodies and parameters are `unknown` until one of these has parsed them. */
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

/**
 * The value as the schema knows it.
 * @throws RuntimeError REQUEST_INVALID naming the first wrong field.
 */
export function parseRequest<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.map(String).join('.') ?? '';
  const where = field === '' ? what : `${what}, field ${field}`;
  throw new RuntimeError('REQUEST_INVALID', `${where}: ${issue?.message ?? 'not valid'}.`);
}

const pathCharactersMax = 4_096;

export const pathSchema = z.string().min(1).max(pathCharactersMax);

export const runParametersSchema = z.object({ id: z.string().max(64) });

export const contextParametersSchema = runParametersSchema.extend({
  hash: z.string().regex(/^[0-9a-f]{1,64}$/, 'a hash or its beginning is expected'),
});

const integerText = z
  .string()
  .regex(/^\d{1,15}$/, 'a whole number is expected')
  .transform(Number);

const sequenceText = integerText.pipe(z.number().min(1, 'sequences begin at 1'));

export const windowQuerySchema = z.strictObject({
  at: sequenceText.optional(),
  actor: z.string().min(1).max(400).optional(),
});

export const eventsQuerySchema = z.strictObject({
  from: sequenceText.default(1),
  limit: integerText.pipe(z.number().min(1).max(limits.eventsPageMax)).default(100),
});

export const streamQuerySchema = z.strictObject({
  from: sequenceText.default(1),
  tokens: z.enum(['0', '1']).default('0'),
});
