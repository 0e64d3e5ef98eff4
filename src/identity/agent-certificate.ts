/**
 * The authority's word for the key of one actor: whose it is, what it may
 * read, and for how long. A JWT whose confirmation is the key (RFC 7800).
 */
import { z } from 'zod';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { isPublicKey, type PublicKey } from './signing-key.ts';
import type { Expected } from './strict-jwt.ts';
import { verifyStrictJwt } from './strict-jwt.ts';

export const certificateType = 'agent-certificate+jwt';

export interface AgentCertificate {
  readonly run: RunId;
  readonly actor: ActorId;
  readonly publicKey: PublicKey;
  /** Highest label that the actor may read. */
  readonly clearance: string;
  /** Seconds since the epoch. */
  readonly issuedAt: number;
  readonly expires: number;
}

const seconds = z.number().int().nonnegative();

const claimsSchema = z.strictObject({
  iss: z.string(),
  run: z.string().max(100),
  sub: z.string().max(300),
  clearance: z.string().max(100),
  cnf: z.strictObject({
    jwk: z.strictObject({
      kty: z.literal('OKP'),
      crv: z.literal('Ed25519'),
      x: z.custom<PublicKey>((value) => typeof value === 'string' && isPublicKey(value)),
    }),
  }),
  iat: seconds,
  nbf: seconds,
  exp: seconds,
});

export type CertificateClaims = z.output<typeof claimsSchema>;

/** The certificate in the text, whether it is in its time or not; or why it is none. */
export async function readCertificate(
  text: string,
  expected: Omit<Expected, 'type'> & { readonly issuer: string },
): Promise<AgentCertificate | string> {
  const { issuer, key, keyId } = expected;
  const verdict = await verifyStrictJwt(text, { type: certificateType, key, keyId });
  if ('problem' in verdict) return `The certificate is refused: ${verdict.problem}.`;
  const parsed = claimsSchema.safeParse(verdict.claims);
  if (!parsed.success) return 'The certificate is refused: its claims are not those of one.';
  const { iss, run, sub, clearance, cnf, iat, nbf, exp } = parsed.data;
  if (iss !== issuer) return 'The certificate is refused: another authority issued it.';
  if (nbf !== iat || exp <= iat) return 'The certificate is refused: its times contradict.';
  return {
    run: run as RunId,
    actor: sub as ActorId,
    publicKey: cnf.jwk.x,
    clearance,
    issuedAt: iat,
    expires: exp,
  };
}
