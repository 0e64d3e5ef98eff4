/**
 * The check in front of every side effect: whoever asks holds a certificate of
 * the authority, a token of the authority for this very execution, and the key
 * that both name.
 *
 * Invariants
 *   V1. Order: certificate, token, match of token and execution, signature, use.
 *       A token is used up only by a request that everything else lets through.
 *   V2. What is remembered of certificates is bounded and never outlives them.
 */
import type { KeyObject } from 'node:crypto';
import { limits } from '../kernel/limits.ts';
import { type AgentCertificate, readCertificate } from './agent-certificate.ts';
import type { AuthorityVerifier } from './authority.ts';
import {
  type Execution,
  type TokenClaims,
  type TokenRefusal,
  type TokenVerdict,
  tokenMismatch,
  verifyToken,
} from './execution-token.ts';
import { intentionBytes } from './signed-intention.ts';
import { importPublicKey, isSignedBy } from './signing-key.ts';
import { thumbprint } from './thumbprint.ts';
import { TokenLedger } from './token-ledger.ts';

/** What comes with an intention. */
export interface Credentials {
  readonly certificate: string;
  readonly token: string;
  /** Of the intention and the token, by the agent's key. */
  readonly signature: string;
}

export interface IdentityRefusal {
  readonly code: TokenRefusal['code'] | 'CERTIFICATE_INVALID' | 'SIGNATURE_INVALID';
  readonly message: string;
}

interface KnownCertificate {
  readonly certificate: AgentCertificate;
  readonly key: KeyObject;
  readonly thumbprint: string;
}

export class IdentityVerifier {
  readonly #authority: AuthorityVerifier;
  readonly #ledger: TokenLedger;
  readonly #known = new Map<string, KnownCertificate>();

  constructor(authority: AuthorityVerifier, ledger = new TokenLedger()) {
    this.#authority = authority;
    this.#ledger = ledger;
  }

  /**
   * Lets one execution through, once, or says why not. `use: false` only tells.
   * @param now seconds since the epoch
   */
  async admit(
    execution: Execution,
    { certificate, token, signature }: Credentials,
    now: number,
    { use = true }: { readonly use?: boolean } = {},
  ): Promise<AgentCertificate | IdentityRefusal> {
    const known = await this.#certificate(certificate, now);
    if (typeof known === 'string') return { code: 'CERTIFICATE_INVALID', message: known };
    const { run, actor } = known.certificate;
    if (run !== execution.run || actor !== execution.actor) {
      return { code: 'CERTIFICATE_INVALID', message: 'The certificate is another agent’s.' };
    }
    // The signature is looked at while the token is verified elsewhere; it counts in its order (V1).
    const verifying = verifyToken(token, this.#authority, now);
    const isSigned = isSignedBy(known.key, intentionBytes({ ...execution, token }), signature);
    const verdict = await verifying;
    if ('code' in verdict) return verdict;
    const { claims } = verdict;
    const mismatch = tokenMismatch(claims, execution, known.thumbprint);
    if (mismatch !== null) return mismatch;
    if (!isSigned) {
      return {
        code: 'SIGNATURE_INVALID',
        message: `The intention is not signed by the key of ${execution.actor}.`,
      };
    }
    if (!this.#isFree(claims, now, use)) return replayed(); // (V1)
    return known.certificate;
  }

  /** Whether a token would be let through by itself, as far as it says. Uses it only if asked to. */
  async examine(
    token: string,
    now: number,
    options: { readonly use?: boolean } = {},
  ): Promise<TokenVerdict> {
    const verdict = await verifyToken(token, this.#authority, now);
    if ('code' in verdict) return verdict;
    return this.#isFree(verdict.claims, now, options.use ?? false) ? verdict : replayed();
  }

  #isFree({ jti, exp }: TokenClaims, now: number, use: boolean): boolean {
    return use ? this.#ledger.use(jti, exp, now) : !this.#ledger.has(jti);
  }

  async #certificate(text: string, now: number): Promise<KnownCertificate | string> {
    const known = this.#known.get(text) ?? (await this.#read(text));
    if (typeof known === 'string') return known;
    const { issuedAt, expires } = known.certificate;
    const skew = limits.tokenSkewSecondsMax;
    if (now + skew < issuedAt) return 'The certificate is not valid yet.';
    if (now - skew >= expires) {
      this.#known.delete(text); // (V2)
      return 'The certificate has expired.';
    }
    return known;
  }

  async #read(text: string): Promise<KnownCertificate | string> {
    const certificate = await readCertificate(text, this.#authority);
    if (typeof certificate === 'string') return certificate;
    const key = importPublicKey(certificate.publicKey);
    if (key === null) return 'The certificate has no Ed25519 key.';
    const known = { certificate, key, thumbprint: thumbprint(certificate.publicKey) };
    this.#known.set(text, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= limits.actorKeysMax) break;
      this.#known.delete(oldest);
    }
    return known;
  }
}

function replayed(): TokenRefusal {
  return { code: 'TOKEN_REPLAYED', message: 'The token is refused: it was used before.' };
}
