/**
 * Ed25519 keys (RFC 8032). A private key never leaves the thread that made it:
 * what is handed out is the public half and a function that signs.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';

/** The 32 bytes of an Ed25519 public key, base64url without padding: 43 characters. */
export type PublicKey = string & { readonly __brand: 'PublicKey' };

/** The 64 bytes of an Ed25519 signature, base64url without padding: 86 characters. */
export type Signature = string & { readonly __brand: 'Signature' };

export interface SigningKey {
  readonly publicKey: PublicKey;
  sign(bytes: Uint8Array): Signature;
}

const publicKeyPattern = /^[A-Za-z0-9_-]{43}$/;
const signaturePattern = /^[A-Za-z0-9_-]{86}$/;

export function isPublicKey(text: string): text is PublicKey {
  return publicKeyPattern.test(text) && isCanonical(text);
}

export function isSignature(text: string): text is Signature {
  return signaturePattern.test(text) && isCanonical(text);
}

/** One value has one text: base64url with stray low bits would be a second one. */
function isCanonical(text: string): boolean {
  return Buffer.from(text, 'base64url').toString('base64url') === text;
}

/** A new key pair; as short-lived as the value that is returned. */
export function generateKeyPair(): SigningKey {
  return signingKey(generateKeyPairSync('ed25519').privateKey);
}

/** A new private key, PKCS #8 in DER (RFC 8410): for keys that outlive a process. */
export function generatePrivateKey(): Buffer {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
}

/** The key in PKCS #8 bytes, or null when they are none of an Ed25519 key. */
export function importPrivateKey(pkcs8: Buffer): SigningKey | null {
  try {
    const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    return key.asymmetricKeyType === 'ed25519' ? signingKey(key) : null;
  } catch {
    return null;
  }
}

function signingKey(privateKey: KeyObject): SigningKey {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  return {
    publicKey: x as PublicKey,
    sign: (bytes) => signBytes(null, bytes, privateKey).toString('base64url') as Signature,
  };
}

/** The key in the form that verification wants, or null when the text is none. */
export function importPublicKey(publicKey: string): KeyObject | null {
  if (!isPublicKey(publicKey)) return null;
  try {
    const key = { kty: 'OKP', crv: 'Ed25519', x: publicKey };
    return createPublicKey({ key, format: 'jwk' });
  } catch {
    return null;
  }
}

/** Whether `signature` over `bytes` was made with the private half of `key`. Never throws. */
export function isSignedBy(key: KeyObject, bytes: Uint8Array, signature: string): boolean {
  if (!isSignature(signature)) return false;
  try {
    return verifyBytes(null, bytes, key, Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}
