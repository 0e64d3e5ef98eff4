/**
 * What the operators sign to change who they are: an enrolment, a revocation,
 * another threshold. Each is a document of its own, good for once and not for long.
 */
import { z } from 'zod';
import { hashJson, type Sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import { operatorSignaturesSchema, publicKeySchema } from './operator-signature.ts';

export const operatorNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9._-]{0,39}$/, 'a name has 1 to 40 of a-z, 0-9, dot, dash, underscore');

export const nonceSchema = z.base64url().min(22).max(64);

/** Milliseconds since the epoch. */
export const timeSchema = z.number().int().min(0).max(8.64e15);

const keyChangeSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('enroll'),
    name: operatorNameSchema,
    publicKey: publicKeySchema,
  }),
  z.strictObject({
    type: z.literal('revoke'),
    name: operatorNameSchema,
    reason: z.string().min(1).max(200),
  }),
  z.strictObject({
    type: z.literal('threshold'),
    threshold: z.number().int().min(1).max(limits.operatorKeysMax),
  }),
]);

export type KeyChange = z.output<typeof keyChangeSchema>;

export const keyStatementSchema = z.strictObject({
  purpose: z.literal('operator-keys'),
  change: keyChangeSchema,
  nonce: nonceSchema,
  expires: timeSchema,
});

export type KeyStatement = z.output<typeof keyStatementSchema>;

export const signedKeyStatementSchema = z.strictObject({
  statement: keyStatementSchema,
  signatures: operatorSignaturesSchema,
});

export type SignedKeyStatement = z.output<typeof signedKeyStatementSchema>;

/** What names a statement: the same document is the same statement. */
export function statementId(statement: KeyStatement): Sha256 {
  return hashJson(statement);
}
