/**
 * The signature of an intention: an agent's word that this very operation,
 * with these arguments, under this key, is its own (law D7).
 */
import { canonicalJson, hashJson } from '../kernel/hash.ts';
import type { ActorId, IntentionKey } from '../kernel/ids.ts';
import type { Signature, SigningKey } from './signing-key.ts';

/** What a signature covers. */
export interface SignedIntention {
  readonly key: IntentionKey;
  /** The actor that signs. */
  readonly agent: ActorId;
  readonly actuator: string;
  readonly operation: string;
  /** Plain JSON; the signature covers its digest. */
  readonly arguments: unknown;
}

/** The signed bytes: canonical JSON, so that both ends see the same ones. */
export function intentionBytes(intention: SignedIntention): Buffer {
  const { key, agent, actuator, operation } = intention;
  return Buffer.from(
    canonicalJson({
      purpose: 'intention',
      key,
      agent,
      actuator,
      operation,
      arguments: hashJson(intention.arguments),
    }),
    'utf8',
  );
}

export function signIntention(signer: SigningKey, intention: SignedIntention): Signature {
  return signer.sign(intentionBytes(intention));
}
