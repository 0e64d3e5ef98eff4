/**
 * The word of operators that an actor may go on: signed over canonical JSON
 * (RFC 8785), and only for the event that put it into quarantine.
 */
import { z } from 'zod';
import { nonceSchema, timeSchema } from './key-change.ts';
import { operatorSignaturesSchema } from './operator-signature.ts';

export const releaseStatementSchema = z.strictObject({
  purpose: z.literal('quarantine-release'),
  run: z.string().min(1).max(300),
  actor: z.string().min(1).max(300),
  /** Sequence of the audit record of its quarantine. */
  sequence: z.number().int().positive(),
  nonce: nonceSchema,
  /** Milliseconds since the epoch; at most `limits.keyStatementMsMax` ahead. */
  expires: timeSchema,
});

export type ReleaseStatement = z.output<typeof releaseStatementSchema>;

export const signedReleaseSchema = z.strictObject({
  statement: releaseStatementSchema,
  signatures: operatorSignaturesSchema,
});

export type SignedRelease = z.output<typeof signedReleaseSchema>;
