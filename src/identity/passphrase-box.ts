/**
 * A box whose key is made of a passphrase by scrypt (RFC 7914), so that
 * guessing costs memory and time at each try.
 *
 * Invariants
 *   P1. The costs are in the box and bounded when it is read: neither does a
 *       file choose cheap ones for a new box, nor make a reader run out of memory.
 */
import { randomBytes, scryptSync } from 'node:crypto';
import { z } from 'zod';
import type { Json } from '../kernel/json.ts';
import { authenticatedBoxSchema, boxKeyBytes, openBox, sealBox } from './authenticated-box.ts';

/** 64 MiB and some tenths of a second a try. */
const cost = { n: 2 ** 16, r: 8, p: 1 } as const;
const saltBytes = 16;
const memoryBytesMax = 2 ** 28;

export const passphraseBoxSchema = z.strictObject({
  kdf: z.literal('scrypt'),
  n: z.union([z.literal(2 ** 15), z.literal(2 ** 16), z.literal(2 ** 17), z.literal(2 ** 18)]),
  r: z.literal(8),
  p: z.number().int().min(1).max(4),
  salt: z.base64url().min(22).max(64),
  box: authenticatedBoxSchema,
});

export type PassphraseBox = z.output<typeof passphraseBoxSchema>;

/** @param meaning As of `sealBox`. */
export function sealWithPassphrase(
  passphrase: string,
  bytes: Uint8Array,
  meaning: Json,
): PassphraseBox {
  const salt = randomBytes(saltBytes).toString('base64url');
  const derived = { kdf: 'scrypt', ...cost, salt } as const;
  return { ...derived, box: sealBox(keyOf(passphrase, derived), bytes, meaning) };
}

/** The bytes, or null when the passphrase, the meaning or the box is another. */
export function openWithPassphrase(
  passphrase: string,
  box: PassphraseBox,
  meaning: Json,
): Buffer | null {
  return openBox(keyOf(passphrase, box), box.box, meaning);
}

/** The same passphrase has one form, whatever keyboard composed its accents. */
function keyOf(passphrase: string, { n, r, p, salt }: Omit<PassphraseBox, 'box'>): Buffer {
  const options = { N: n, r, p, maxmem: memoryBytesMax + 2 ** 20 }; // (P1)
  const text = Buffer.from(passphrase.normalize('NFKC'), 'utf8');
  return scryptSync(text, Buffer.from(salt, 'base64url'), boxKeyBytes, options);
}
