import { sha256Bytes } from '../kernel/hash.ts';
import type { PublicKey } from './signing-key.ts';

/** What a key is known by: the RFC 7638 thumbprint of its JWK (RFC 8037 for Ed25519). */
export function thumbprint(publicKey: PublicKey): string {
  const members = `{"crv":"Ed25519","kty":"OKP","x":"${publicKey}"}`;
  return sha256Bytes(members).toString('base64url');
}
