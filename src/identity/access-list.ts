/**
 * The tokens that open the API, as the file DATA/access.json has them: names,
 * roles and digests, and no token.
 *
 * Invariants
 *   L1. A digest is compared in constant time, with all of the list, so that
 *       the time of an answer tells nothing about digests or their number of
 *       equal bytes.
 *   L2. A name is there once.
 */
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { type AccessRole, accessRoles } from './access-rights.ts';
import { tokenDigest } from './access-token.ts';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const timeSchema = z.number().int().nonnegative();

const entrySchema = z.strictObject({
  name: z.string().regex(namePattern),
  roles: z.array(z.enum(accessRoles)).min(1),
  /** SHA-256 of the token, in hexadecimal. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: timeSchema,
  /** Milliseconds since the epoch, from which on it is refused; null for never. */
  expiresAt: timeSchema.nullable(),
});

export const accessListSchema = z.strictObject({
  version: z.literal(1),
  tokens: z
    .array(entrySchema)
    .max(limits.accessTokensMax)
    .refine((tokens) => new Set(tokens.map(({ name }) => name)).size === tokens.length), // (L2)
});

export type AccessEntry = Readonly<z.output<typeof entrySchema>>;

export interface AccessList {
  readonly version: 1;
  readonly tokens: readonly AccessEntry[];
}

export const emptyAccessList: AccessList = { version: 1, tokens: [] };

/** Who a token is, or why it is nobody. */
export type TokenVerdict =
  | { readonly status: 'known'; readonly name: string; readonly roles: readonly AccessRole[] }
  | { readonly status: 'malformed' | 'unknown' | 'expired' };

/** @param nowMs Milliseconds since the epoch. */
export function judgeToken(list: AccessList, text: string, nowMs: number): TokenVerdict {
  const digest = tokenDigest(text);
  if (digest === null) return { status: 'malformed' };
  let found: AccessEntry | null = null;
  for (const entry of list.tokens) {
    // No early end (L1).
    if (timingSafeEqual(digest, Buffer.from(entry.digest, 'hex'))) found = entry;
  }
  if (found === null) return { status: 'unknown' };
  if (isExpired(found, nowMs)) return { status: 'expired' };
  return { status: 'known', name: found.name, roles: found.roles };
}

export function isExpired({ expiresAt }: AccessEntry, nowMs: number): boolean {
  return expiresAt !== null && nowMs >= expiresAt;
}

export interface NewAccess {
  readonly name: string;
  readonly roles: readonly AccessRole[];
  /** The token itself, of which the list keeps the digest. */
  readonly token: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

/**
 * The list with one more token.
 * @throws RuntimeError ACCESS_NAME_INVALID, ACCESS_NAME_TAKEN, ACCESS_LIST_FULL
 */
export function withAccess(list: AccessList, access: NewAccess): AccessList {
  const { name, roles, token, createdAt, expiresAt } = access;
  if (!namePattern.test(name)) {
    throw new RuntimeError(
      'ACCESS_NAME_INVALID',
      'The name of a token has 1 to 63 letters, digits, dots, dashes and underscores, and begins with a letter or digit.',
    );
  }
  if (list.tokens.some((entry) => entry.name === name)) {
    throw new RuntimeError(
      'ACCESS_NAME_TAKEN',
      `There is a token named ${name}; remove it first with claw access rm ${name}, or choose another name.`,
    );
  }
  if (list.tokens.length >= limits.accessTokensMax) {
    throw new RuntimeError(
      'ACCESS_LIST_FULL',
      `There are ${limits.accessTokensMax} tokens, which is the most; remove one with claw access rm.`,
    );
  }
  const digest = tokenDigest(token)?.toString('hex') ?? '';
  const entry = { name, roles: [...new Set(roles)], digest, createdAt, expiresAt };
  return { version: 1, tokens: [...list.tokens, entry] };
}

/**
 * The list without a token.
 * @throws RuntimeError ACCESS_NOT_FOUND
 */
export function withoutAccess(list: AccessList, name: string): AccessList {
  const tokens = list.tokens.filter((entry) => entry.name !== name);
  if (tokens.length < list.tokens.length) return { version: 1, tokens };
  const shown = namePattern.test(name) ? name : 'that name';
  throw new RuntimeError(
    'ACCESS_NOT_FOUND',
    `There is no token of ${shown}; claw access list has those that there are.`,
  );
}
