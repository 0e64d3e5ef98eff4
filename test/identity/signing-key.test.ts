import { createHash, verify } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  generateKeyPair,
  importPublicKey,
  isPublicKey,
  isSignature,
  isSignedBy,
} from '../../src/identity/signing-key.ts';

const key = generateKeyPair();
const verifier = importPublicKey(key.publicKey);

test('signs what its public half verifies, and nothing else', () => {
  const other = importPublicKey(generateKeyPair().publicKey);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(), (bytes, at) => {
      const signature = key.sign(bytes);
      expect(verifier && isSignedBy(verifier, bytes, signature)).toBe(true);
      expect(other && isSignedBy(other, bytes, signature)).toBe(false);
      const changed = Uint8Array.from(bytes);
      const place = at % bytes.length;
      changed[place] = Number(changed[place]) ^ 1;
      expect(verifier && isSignedBy(verifier, changed, signature)).toBe(false);
    }),
    { numRuns: 50 },
  );
});

test('agrees with the specification of Ed25519 (RFC 8032, test 1)', () => {
  const bytes = (hex: string) => Buffer.from(hex, 'hex').toString('base64url');
  const known = importPublicKey(
    bytes('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'),
  );
  const signature = bytes(
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  );
  expect(known && isSignedBy(known, new Uint8Array(0), signature)).toBe(true);
});

test('is new every time, and its text is the raw 32 bytes', () => {
  const another = generateKeyPair();
  expect(another.publicKey).not.toBe(key.publicKey);
  expect(Buffer.from(another.publicKey, 'base64url').length).toBe(32);
  const digest = createHash('sha256').update('x').digest();
  expect(
    verifier && verify(null, digest, verifier, Buffer.from(key.sign(digest), 'base64url')),
  ).toBe(true);
});

test('has one text for one value', () => {
  expect(isPublicKey(key.publicKey)).toBe(true);
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('');
  const spellings = last.filter((character) => isPublicKey(key.publicKey.slice(0, -1) + character));
  // Of the 64 last characters only the 16 without stray bits are texts of a key.
  expect(spellings.length).toBe(16);
  expect(isSignature(key.sign(Buffer.from('x')))).toBe(true);
});

test('never throws on hostile texts', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (publicKey, signature) => {
      expect(importPublicKey(publicKey)).toBeNull();
      expect(verifier && isSignedBy(verifier, Buffer.from('x'), signature)).toBe(false);
    }),
  );
});
