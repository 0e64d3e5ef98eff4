/**
 * A token that opens the API: `oc_`, then 32 random bytes and their CRC-32C in
 * base64url, 51 characters in all. The prefix lets scanners of leaked secrets
 * find it, and the checksum tells a mistyped token from one that was removed,
 * without asking any list. Whoever has the text has the rights; so only its
 * SHA-256 is ever stored. The text holds 256 random bits, which is why a plain
 * hash suffices: there is nothing to guess that a slower one would protect.
 */
import { randomBytes } from 'node:crypto';
import { crc32c } from '../journal/crc32c.ts';
import { sha256Bytes } from '../kernel/hash.ts';

const prefix = 'oc_';
const secretBytes = 32;
const checksumBytes = 4;
const wholeToken = /^oc_[A-Za-z0-9_-]{48}$/;
/** A token anywhere in a text, also one that was cut or mistyped near its end. */
const tokenInText = /oc_[A-Za-z0-9_-]{40,}/g;

/** A new token. It exists nowhere else: shown once and then lost. */
export function mintAccessToken(): string {
  const bytes = Buffer.alloc(secretBytes + checksumBytes);
  randomBytes(secretBytes).copy(bytes);
  bytes.writeUInt32BE(crc32c(bytes, 0, secretBytes), secretBytes);
  return `${prefix}${bytes.toString('base64url')}`;
}

/**
 * SHA-256 of the token, 32 bytes.
 * @returns null where the text is no token, by its form or its checksum.
 */
export function tokenDigest(text: string): Buffer | null {
  if (!wholeToken.test(text)) return null;
  const bytes = Buffer.from(text.slice(prefix.length), 'base64url');
  const sum = bytes.readUInt32BE(secretBytes);
  return sum === crc32c(bytes, 0, secretBytes) ? sha256Bytes(text) : null;
}

/** The text without anything that looks like a token. */
export function withoutTokens(text: string): string {
  return text.replace(tokenInText, 'oc_…');
}

export function holdsToken(text: string): boolean {
  return withoutTokens(text) !== text;
}
