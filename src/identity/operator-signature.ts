/**
 * Signatures of several people under one document: Ed25519 over its canonical
 * JSON (RFC 8785). The document says what it is for by its `purpose`, so that a
 * signature under one kind is nothing under another.
 */
import { z } from 'zod';
import { canonicalJson } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import {
  importPublicKey,
  isPublicKey,
  isSignature,
  isSignedBy,
  type PublicKey,
  type Signature,
  type SigningKey,
} from './signing-key.ts';

export const publicKeySchema = z.custom<PublicKey>(
  (text) => typeof text === 'string' && isPublicKey(text),
  'not an Ed25519 public key, base64url of 32 bytes',
);

const operatorSignatureSchema = z.strictObject({
  key: publicKeySchema,
  signature: z.custom<Signature>(
    (text) => typeof text === 'string' && isSignature(text),
    'not an Ed25519 signature, base64url of 64 bytes',
  ),
});

export const operatorSignaturesSchema = z
  .array(operatorSignatureSchema)
  .max(limits.operatorKeysMax);

export interface OperatorSignature {
  readonly key: PublicKey;
  readonly signature: Signature;
}

/** What a signature needs to know: what it is for. */
interface Purposeful {
  readonly purpose: string;
}

export function signDocument(signer: SigningKey, document: Purposeful): OperatorSignature {
  return { key: signer.publicKey, signature: signer.sign(bytesOf(document)) };
}

/** Which of the keys have signed the document. One that signed twice counts once. */
export function signersOf(
  document: Purposeful,
  signatures: readonly OperatorSignature[],
  keys: ReadonlySet<PublicKey>,
): ReadonlySet<PublicKey> {
  const bytes = bytesOf(document);
  const signers = new Set<PublicKey>();
  for (const { key, signature } of signatures) {
    if (signers.has(key) || !keys.has(key)) continue;
    const verifier = importPublicKey(key);
    if (verifier !== null && isSignedBy(verifier, bytes, signature)) signers.add(key);
  }
  return signers;
}

function bytesOf(document: Purposeful): Buffer {
  return Buffer.from(canonicalJson(document), 'utf8');
}
