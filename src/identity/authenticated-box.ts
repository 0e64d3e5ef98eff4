/**
 * Bytes that nobody reads or changes without the key: AES-256-GCM with a
 * random nonce, bound to what the bytes are for.
 *
 * Invariants
 *   B1. A box opens only with its key and only as what it was sealed as: moved
 *       to another name or purpose it is refused like a changed one.
 *   B2. A nonce is drawn anew for each box and never chosen.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../kernel/hash.ts';
import type { Json } from '../kernel/json.ts';

const cipher = 'aes-256-gcm';
/** Of a key, in bytes. */
export const boxKeyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

export const authenticatedBoxSchema = z.strictObject({
  nonce: z.base64url().length(16),
  /** Ciphertext, then the tag. */
  sealed: z.base64url(),
});

export type AuthenticatedBox = z.output<typeof authenticatedBoxSchema>;

/** @param meaning What the bytes are for, which opening has to repeat (B1). */
export function sealBox(key: Uint8Array, bytes: Uint8Array, meaning: Json): AuthenticatedBox {
  const nonce = randomBytes(nonceBytes); // (B2)
  const encrypt = createCipheriv(cipher, key, nonce).setAAD(associated(meaning));
  const sealed = Buffer.concat([encrypt.update(bytes), encrypt.final(), encrypt.getAuthTag()]);
  return { nonce: nonce.toString('base64url'), sealed: sealed.toString('base64url') };
}

/** The bytes, or null when key, meaning or box are others. */
export function openBox(key: Uint8Array, box: AuthenticatedBox, meaning: Json): Buffer | null {
  const sealed = Buffer.from(box.sealed, 'base64url');
  if (sealed.length < tagBytes) return null;
  try {
    const options = { authTagLength: tagBytes };
    const decrypt = createDecipheriv(cipher, key, Buffer.from(box.nonce, 'base64url'), options)
      .setAAD(associated(meaning))
      .setAuthTag(sealed.subarray(sealed.length - tagBytes));
    return Buffer.concat([
      decrypt.update(sealed.subarray(0, sealed.length - tagBytes)),
      decrypt.final(),
    ]);
  } catch {
    return null;
  }
}

function associated(meaning: Json): Buffer {
  return Buffer.from(canonicalJson(meaning), 'utf8');
}
