/**
 * SHA-256 over bytes and over canonical JSON (RFC 8785), the only two hashes
 * that this system compares.
 */
import { hash } from 'node:crypto';
import { assert } from './assert.ts';
import { canonicalText } from './canonical-json.ts';

/** Lower-case hexadecimal SHA-256, 64 characters. */
export type Sha256 = string & { readonly __brand: 'Sha256' };

export function sha256(bytes: string | Uint8Array): Sha256 {
  return hash('sha256', bytes, 'hex') as Sha256;
}

/** The 32 raw bytes of the digest, for binary records. */
export function sha256Bytes(bytes: string | Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}

/**
 * RFC 8785 text of a JSON value.
 * @throws AssertionError when the value has no JSON form (undefined, a function).
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalText(value);
  assert(text !== undefined, 'value has no canonical JSON form');
  return text;
}

export function hashJson(value: unknown): Sha256 {
  return sha256(canonicalJson(value));
}

/** One link of a hash chain: SHA-256 of the previous link and the next hash, both as text. */
export function chainHash(previous: string, next: string): Sha256 {
  return sha256(previous + next);
}
