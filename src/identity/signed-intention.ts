/**
 * The signature of an intention: an agent's word that this very operation,
 * with these arguments, under this key and this token, is its own (law D7).
 */
import { canonicalJson, hashJson, sha256 } from '../kernel/hash.ts';
import type { Execution } from './execution-token.ts';
import type { Signature, SigningKey } from './signing-key.ts';

/** What a signature covers. */
export interface SignedIntention extends Execution {
  /** As issued for it. */
  readonly token: string;
}

/** The signed bytes: canonical JSON (RFC 8785), so that both ends see the same ones. */
export function intentionBytes(intention: SignedIntention): Buffer {
  const { run, actor, key, actuator, operation, token } = intention;
  return Buffer.from(
    canonicalJson({
      purpose: 'intention',
      run,
      actor,
      key,
      actuator,
      operation,
      arguments: hashJson(intention.arguments),
      token: sha256(token),
    }),
    'utf8',
  );
}

export function signIntention(signer: SigningKey, intention: SignedIntention): Signature {
  return signer.sign(intentionBytes(intention));
}
