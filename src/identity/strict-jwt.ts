/**
 * The one form in which the runtime's own tokens are accepted: a compact JWS
 * (RFC 7515) with exactly the header that the authority writes. Whatever a JOSE
 * library could be talked into by a header (another algorithm, a key inside the
 * token or behind a URL, critical extensions) is refused before it sees it.
 *
 * Invariants
 *   J1. Algorithm, type and key are the verifier's, never the token's.
 *   J2. One token has one text: base64url without stray bits, JSON as
 *       JSON.stringify writes it, and so without a key given twice.
 */

import { jwtVerify } from 'jose';
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';

/** Claims whose signature holds, or one sentence that says why not. */
export type Claims = { readonly [name: string]: unknown };
export type JwtVerdict = { readonly claims: Claims } | { readonly problem: string };

export interface Expected {
  /** Of the header, such as `execution+jwt`. */
  readonly type: string;
  readonly key: CryptoKey;
  /** Thumbprint of the key (RFC 7638). */
  readonly keyId: string;
}

const segment = /^[A-Za-z0-9_-]+$/;

const headerSchema = z.strictObject({
  alg: z.literal('EdDSA'),
  kid: z.string(),
  typ: z.string(),
});

/** Never throws. Times are the caller's to check. */
export async function verifyStrictJwt(token: string, expected: Expected): Promise<JwtVerdict> {
  if (token.length > limits.tokenCharactersMax) return { problem: 'it is too long' };
  const parts = token.split('.');
  const [header, payload, signature] = parts;
  if (
    parts.length !== 3 ||
    header === undefined ||
    payload === undefined ||
    signature === undefined
  ) {
    return { problem: 'it is no compact JWS of three parts' };
  }
  if (!parts.every(isCanonicalBase64Url)) return { problem: 'a part is not canonical base64url' };
  const problem = headerProblem(header, expected);
  if (problem !== null) return { problem };
  const claims = uniqueJson(payload);
  if (claims === null) return { problem: 'its claims are not canonical JSON' };
  try {
    // (J1)
    await jwtVerify(token, expected.key, {
      algorithms: ['EdDSA'],
      typ: expected.type,
      // Times are compared once, by the clock of the caller.
      currentDate: new Date(0),
      clockTolerance: Number.MAX_SAFE_INTEGER,
    });
  } catch {
    return { problem: 'its signature does not hold' };
  }
  return { claims };
}

function headerProblem(header: string, { type, keyId }: Expected): string | null {
  const json = uniqueJson(header);
  if (json === null) return 'its header is not canonical JSON';
  if (json.alg !== 'EdDSA') return 'its algorithm is not EdDSA';
  const parsed = headerSchema.safeParse(json);
  if (!parsed.success) return 'its header has fields that the authority does not write';
  if (parsed.data.typ !== type) return `its type is not ${type}`;
  if (parsed.data.kid !== keyId) return 'its key is not the authority’s';
  return null;
}

function isCanonicalBase64Url(text: string): boolean {
  return segment.test(text) && Buffer.from(text, 'base64url').toString('base64url') === text;
}

/** The object, if its text is the one that writing it gives (J2). */
function uniqueJson(part: string): Claims | null {
  try {
    const text = Buffer.from(part, 'base64url').toString('utf8');
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return JSON.stringify(value) === text ? (value as Claims) : null;
  } catch {
    return null;
  }
}
