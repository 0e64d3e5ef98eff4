/**
 * Signed notes (C2SP signed-note): a text, an empty line, and signature lines
 * `— NAME BASE64`, where BASE64 holds the four bytes that name the key and the
 * signature.
 *
 * Invariants
 *   N1. A note that was parsed is, written again, the same bytes.
 *   N2. What is signed is the text with its last line feed, nothing else.
 */
import { verify as verifyBytes } from 'node:crypto';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { isNoteKeyName, type NoteSigner, type NoteVerifier, noteKeyKinds } from './note-key.ts';

export interface NoteSignature {
  readonly name: string;
  /** Of the key, eight hexadecimal digits. */
  readonly keyId: string;
  readonly bytes: Buffer;
}

export interface SignedNote {
  /** Ends in a line feed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

const idBytes = 4;
/** Seconds since the epoch, before the signature of a cosignature. */
const timeBytes = 8;
const ed25519Bytes = 64;

/** @throws RuntimeError AUDIT_NOTE_INVALID */
export function parseNote(note: string): SignedNote {
  if (Buffer.byteLength(note) > limits.auditNoteBytesMax) throw invalid('it is too long');
  const split = note.lastIndexOf('\n\n');
  if (split <= 0 || !note.endsWith('\n')) throw invalid('no empty line ends its text');
  const text = note.slice(0, split + 1);
  if (hasControl(text)) throw invalid('its text has control characters');
  const lines = note.slice(split + 2, -1).split('\n');
  if (lines.length > limits.auditNoteSignaturesMax) throw invalid('it has too many signatures');
  return { text, signatures: lines.map(parseSignature) };
}

/** @throws RuntimeError AUDIT_NOTE_INVALID */
export function parseSignature(line: string): NoteSignature {
  const [dash, name = '', encoded = '', ...rest] = line.split(' ');
  const bytes = Buffer.from(encoded, 'base64');
  const whole = bytes.toString('base64') === encoded && bytes.length > idBytes; // (N1)
  if (dash !== '—' || !isNoteKeyName(name) || !whole || rest.length > 0) {
    throw invalid('a line behind the empty one is no signature');
  }
  return {
    name,
    keyId: bytes.toString('hex', 0, idBytes),
    bytes: bytes.subarray(idBytes),
  };
}

export function formatNote({ text, signatures }: SignedNote): string {
  return `${text}\n${signatures.map((each) => `${formatSignature(each)}\n`).join('')}`;
}

export function formatSignature({ name, keyId, bytes }: NoteSignature): string {
  const encoded = Buffer.concat([Buffer.from(keyId, 'hex'), bytes]).toString('base64');
  return `— ${name} ${encoded}`;
}

/** The signature of a key of kind 1 over a text (N2). */
export function signNote(text: string, signer: NoteSigner): NoteSignature {
  return { name: signer.name, keyId: signer.id, bytes: signer.sign(Buffer.from(text)) };
}

/** What a witness with a key of kind 4 says: that it saw the text at that time (C2SP tlog-cosignature, v1). */
export function cosignNote(text: string, signer: NoteSigner, timeSeconds: number): NoteSignature {
  const bytes = Buffer.alloc(timeBytes + ed25519Bytes);
  bytes.writeBigUInt64BE(BigInt(timeSeconds));
  signer.sign(cosignedBytes(text, timeSeconds)).copy(bytes, timeBytes);
  return { name: signer.name, keyId: signer.id, bytes };
}

/** A signature that holds; of a cosignature its time in seconds since the epoch. */
export interface HeldSignature {
  readonly timeSeconds: number | null;
}

/** Whether the signature is one of that key over the text, or null. Never throws. */
export function verifySignature(
  text: string,
  { name, keyId, bytes }: NoteSignature,
  verifier: NoteVerifier,
): HeldSignature | null {
  if (name !== verifier.name || keyId !== verifier.id) return null;
  if (verifier.kind === noteKeyKinds.note) {
    const holds = bytes.length === ed25519Bytes && isSigned(Buffer.from(text), verifier, bytes);
    return holds ? { timeSeconds: null } : null;
  }
  if (bytes.length !== timeBytes + ed25519Bytes) return null;
  const timeSeconds = Number(bytes.readBigUInt64BE());
  if (!Number.isSafeInteger(timeSeconds)) return null;
  const signed = cosignedBytes(text, timeSeconds);
  return isSigned(signed, verifier, bytes.subarray(timeBytes)) ? { timeSeconds } : null;
}

/** The first signature of that key that holds, or null. */
export function verifiedBy(note: SignedNote, verifier: NoteVerifier): HeldSignature | null {
  for (const signature of note.signatures) {
    const held = verifySignature(note.text, signature, verifier);
    if (held !== null) return held;
  }
  return null;
}

function cosignedBytes(text: string, timeSeconds: number): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${timeSeconds}\n${text}`);
}

function isSigned(bytes: Buffer, { key }: NoteVerifier, signature: Buffer): boolean {
  try {
    return verifyBytes(null, bytes, key, signature);
  } catch {
    return false;
  }
}

function hasControl(text: string): boolean {
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if ((code < 0x20 && character !== '\n') || code === 0x7f || code === 0xfffd) return true;
  }
  return false;
}

function invalid(why: string): RuntimeError {
  return new RuntimeError(
    'AUDIT_NOTE_INVALID',
    `This is no signed note: ${why}; give a checkpoint as the audit wrote it.`,
  );
}
