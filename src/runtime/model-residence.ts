/** What the configuration says of a model file in memory: where it is, and how much it holds. */
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';

const windowTokensMin = 256;
const windowSchema = z.number().int().min(windowTokensMin).max(limits.contextTokensMax);
/** GPUs of one host; more than there are anywhere. */
const gpusMax = 64;

const deviceSchema = z
  .templateLiteral(['gpu:', z.number().int().min(0).lt(gpusMax)])
  .or(z.enum(['auto', 'cpu', 'gpu']));

/** Of the fields of a model file; an endpoint has none of them. */
export const residenceShape = {
  /** Contexts that a model file holds at once; limits.sequencesDefault without it. */
  sequences: z.number().int().min(1).max(limits.sequencesMax).optional(),
  /** Tokens of each of them at the beginning, and to which it grows as questions need it. */
  contextTokens: z
    .strictObject({ start: windowSchema.optional(), max: windowSchema.optional() })
    .refine(({ start = 0, max = Number.POSITIVE_INFINITY }) => start <= max, {
      message: 'start is larger than max',
    })
    .optional(),
  /** Where a model file is loaded; a thread of this process unless said. */
  process: z.enum(['thread', 'child']).optional(),
  /** What works with it; a GPU where there is one unless said. */
  device: deviceSchema.optional(),
};

const residenceSchema = z.strictObject(residenceShape);

export type ModelResidence = z.output<typeof residenceSchema>;

/** What is wrong with it; null when nothing is. */
export function residenceProblem({ device, process }: ModelResidence): string | null {
  if (!device?.startsWith('gpu:') || process === 'child') return null;
  return `${device} is one of several GPUs, which only a process of its own can be held to; say process: child`;
}
