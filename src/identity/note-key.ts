/**
 * Keys of signed notes, in the text forms of C2SP signed-note. One line each:
 * `NAME+ID+KEY` is a verifier key, `PRIVATE+KEY+NAME+ID+KEY` a signer key. ID is
 * eight hexadecimal digits of SHA-256(NAME, a line feed, kind, public key), KEY is
 * base64 of the kind and 32 bytes: the public key, or the private one (RFC 8032).
 *
 * Invariants
 *   K1. One key has one text: base64 and digits in another form are no key.
 *   K2. The ID is computed from the key, and another one in the text is refused. So
 *       no byte of either text can change unseen.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign as signBytes,
} from 'node:crypto';
import { RuntimeError } from '../kernel/errors.ts';

/** What a key signs: notes themselves (1), or as a witness that it saw them at a time (4). */
export const noteKeyKinds = { note: 1, cosignature: 4 } as const;

export type NoteKeyKind = (typeof noteKeyKinds)[keyof typeof noteKeyKinds];

export interface NoteVerifier {
  readonly name: string;
  readonly kind: NoteKeyKind;
  /** First four bytes of the hash that a signature names its key by, hexadecimal. */
  readonly id: string;
  readonly key: KeyObject;
  /** The key as text, without a line feed. */
  readonly text: string;
}

export interface NoteSigner extends NoteVerifier {
  /** The private key as text, without a line feed. */
  readonly secret: string;
  /** Ed25519 signature of the bytes, 64 bytes. */
  sign(bytes: Uint8Array): Buffer;
}

const secretPrefix = 'PRIVATE+KEY+';
/** What RFC 8410 puts before the 32 bytes of a private key, and of a public one. */
const privateDer = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicDer = Buffer.from('302a300506032b6570032100', 'hex');
const keyBytes = 32;
const namePattern = /^[^\s+\p{C}]{1,200}$/u;

/** Whether a text may be the name of a key. */
export function isNoteKeyName(name: string): boolean {
  return namePattern.test(name);
}

/** A new key. @param nameOf Its name, from the 32 bytes of the public key. */
export function newNoteSigner(
  kind: NoteKeyKind,
  nameOf: (publicKey: Buffer) => string,
): NoteSigner {
  const { privateKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-keyBytes);
  const name = nameOf(rawPublicKey(createPublicKey(privateKey)));
  return signerOf(name, kind, seed);
}

/** @throws RuntimeError AUDIT_KEY_INVALID (K1, K2) */
export function parseNoteSigner(line: string): NoteSigner {
  if (!line.startsWith(secretPrefix)) throw invalid('it does not begin as a signer key does');
  const { name, id, kind, bytes } = parsed(line.slice(secretPrefix.length));
  const signer = signerOf(name, kind, bytes);
  if (signer.id !== id) throw invalid('its ID is not the one of its key'); // (K2)
  return signer;
}

/** @throws RuntimeError AUDIT_KEY_INVALID (K1, K2) */
export function parseNoteVerifier(line: string): NoteVerifier {
  if (line.startsWith(secretPrefix)) {
    throw invalid('it is a signer key, which nobody else should have');
  }
  const { name, id, kind, bytes } = parsed(line);
  const key = createPublicKey({
    key: Buffer.concat([publicDer, bytes]),
    format: 'der',
    type: 'spki',
  });
  const verifier = verifierOf(name, kind, key);
  if (verifier.id !== id) throw invalid('its ID is not the one of its key'); // (K2)
  return verifier;
}

function signerOf(name: string, kind: NoteKeyKind, seed: Buffer): NoteSigner {
  const der = Buffer.concat([privateDer, seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const verifier = verifierOf(name, kind, createPublicKey(key));
  const bytes = Buffer.concat([Buffer.from([kind]), seed]).toString('base64');
  return {
    ...verifier,
    secret: `${secretPrefix}${name}+${verifier.id}+${bytes}`,
    sign: (content) => signBytes(null, content, key),
  };
}

function verifierOf(name: string, kind: NoteKeyKind, key: KeyObject): NoteVerifier {
  const bytes = Buffer.concat([Buffer.from([kind]), rawPublicKey(key)]);
  const named = Buffer.concat([Buffer.from(`${name}\n`), bytes]);
  const id = hash('sha256', named, 'hex').slice(0, 8);
  return { name, kind, id, key, text: `${name}+${id}+${bytes.toString('base64')}` };
}

function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(-keyBytes);
}

interface KeyText {
  readonly name: string;
  readonly id: string;
  readonly kind: NoteKeyKind;
  readonly bytes: Buffer;
}

function parsed(text: string): KeyText {
  // Base64 has plus signs too, a name has none.
  const [, name = '', id = '', encoded = ''] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/u.exec(text) ?? [];
  if (!isNoteKeyName(name)) throw invalid('it is not NAME+ID+KEY');
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded || bytes.length !== keyBytes + 1) {
    throw invalid('its key is not base64 of 33 bytes'); // (K1)
  }
  const kind = Object.values(noteKeyKinds).find((each) => each === bytes[0]);
  if (kind === undefined) throw invalid(`it is of kind ${bytes[0]}, and 1 and 4 are known`);
  return { name, id, kind, bytes: bytes.subarray(1) };
}

function invalid(why: string): RuntimeError {
  return new RuntimeError(
    'AUDIT_KEY_INVALID',
    `This is no key of a signed note: ${why}; give one line as claw audit and claw witness write it.`,
  );
}
