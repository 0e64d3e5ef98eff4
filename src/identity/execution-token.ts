/**
 * The permission for one execution: which actuator, which operation, with which
 * arguments, for whom, once. A JWT (RFC 7519) of the authority, bound to the
 * agent's key by its thumbprint (RFC 7800, RFC 7638).
 *
 * Invariants
 *   T1. A token names the one intention that it is for, by key and by the hash
 *       of its arguments; for any other it is worth nothing.
 *   T2. A token counts from `nbf` to `exp`, at most `limits.tokenSecondsMax`.
 */
import { z } from 'zod';
import { hashJson } from '../kernel/hash.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { type Expected, verifyStrictJwt } from './strict-jwt.ts';

export const tokenType = 'execution+jwt';
const tokenRole = 'ephemeral_agent';

/** What a token is asked to let through. */
export interface Execution {
  readonly run: RunId;
  readonly actor: ActorId;
  /** Key of the intention. */
  readonly key: string;
  readonly actuator: string;
  readonly operation: string;
  /** Plain JSON. */
  readonly arguments: unknown;
}

const seconds = z.number().int().nonnegative();

const claimsSchema = z.strictObject({
  iss: z.string(),
  aud: z.string(),
  sub: z.string(),
  role: z.literal(tokenRole),
  ttl: z.number().int().min(1).max(limits.tokenSecondsMax),
  run: z.string(),
  key: z.string(),
  scope: z.strictObject({
    actuator: z.string(),
    operation: z.string(),
    arguments: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  cnf: z.strictObject({ jkt: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }),
  jti: z.uuid(),
  iat: seconds,
  nbf: seconds,
  exp: seconds,
});

export type TokenClaims = z.output<typeof claimsSchema>;

function audienceOf(actuator: string): string {
  return `urn:openclaw:actuator:${actuator}`;
}

/** The claims for an execution. Written in this order; a token has one text. */
export function tokenClaims(
  execution: Execution,
  token: {
    readonly issuer: string;
    readonly thumbprint: string;
    readonly id: string;
    /** Seconds since the epoch. */
    readonly now: number;
    readonly ttl: number;
  },
): TokenClaims {
  const { run, actor, key, actuator, operation } = execution;
  const { issuer, thumbprint, id, now, ttl } = token;
  return {
    iss: issuer,
    aud: audienceOf(actuator),
    sub: actor,
    role: tokenRole,
    ttl,
    run,
    key,
    scope: { actuator, operation, arguments: hashJson(execution.arguments) },
    cnf: { jkt: thumbprint },
    jti: id,
    iat: now,
    nbf: now,
    exp: now + ttl,
  };
}

/** Why a token is refused: a code of the catalogue and one sentence. */
export interface TokenRefusal {
  readonly code: 'TOKEN_INVALID' | 'TOKEN_EXPIRED' | 'TOKEN_MISMATCH' | 'TOKEN_REPLAYED';
  readonly message: string;
}

export type TokenVerdict = { readonly claims: TokenClaims } | TokenRefusal;

/**
 * Whether the token is one of the authority's, of its time. What it is for is
 * `tokenMismatch`'s question, whether it was used before the ledger's.
 * @param now seconds since the epoch
 */
export async function verifyToken(
  token: string,
  expected: Omit<Expected, 'type'> & { readonly issuer: string },
  now: number,
): Promise<TokenVerdict> {
  const { issuer, key, keyId } = expected;
  const verdict = await verifyStrictJwt(token, { type: tokenType, key, keyId });
  if ('problem' in verdict) return invalid(verdict.problem);
  const parsed = claimsSchema.safeParse(verdict.claims);
  if (!parsed.success) return invalid('its claims are not those of an execution');
  const claims = parsed.data;
  if (claims.iss !== issuer) return invalid('another authority issued it');
  if (claims.nbf !== claims.iat || claims.exp !== claims.iat + claims.ttl) {
    return invalid('its times contradict each other');
  }
  const skew = limits.tokenSkewSecondsMax;
  if (now + skew < claims.nbf) return invalid('it is not valid yet');
  if (now - skew >= claims.exp) {
    return { code: 'TOKEN_EXPIRED', message: 'The token is refused: it has expired.' };
  }
  return { claims };
}

/** Whether the token is for this execution by the holder of this key (T1); null when it is. */
export function tokenMismatch(
  claims: TokenClaims,
  execution: Execution,
  thumbprint: string,
): TokenRefusal | null {
  const { run, actor, key, actuator, operation } = execution;
  const { scope } = claims;
  if (claims.aud !== audienceOf(actuator)) return mismatch('it is for another actuator');
  if (claims.sub !== actor || claims.run !== run) return mismatch('it is another agent’s');
  if (claims.cnf.jkt !== thumbprint) return mismatch('it is bound to another key');
  if (claims.key !== key) return mismatch('it is for another intention');
  if (scope.actuator !== actuator || scope.operation !== operation) {
    return mismatch('its scope is another operation');
  }
  if (scope.arguments !== hashJson(execution.arguments)) {
    return mismatch('its scope has other arguments');
  }
  return null;
}

function invalid(why: string): TokenRefusal {
  return { code: 'TOKEN_INVALID', message: `The token is refused: ${why}.` };
}

function mismatch(why: string): TokenRefusal {
  return { code: 'TOKEN_MISMATCH', message: `The token is refused: ${why}.` };
}
