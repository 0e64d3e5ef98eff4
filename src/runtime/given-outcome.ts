/** An outcome that somebody gives in place of an actuator. */
import { z } from 'zod';
import { type ErrorCode, isErrorCode } from '../kernel/errors.ts';

export const givenOutcomeSchema = z.union([
  z.strictObject({ status: z.literal('completed'), value: z.json() }),
  z.strictObject({
    status: z.enum(['failed', 'refused', 'unknown']),
    error: z.strictObject({
      code: z.custom<ErrorCode>(isErrorCode, 'a code of docs/errors.md is expected'),
      message: z.string(),
    }),
  }),
]);
