import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatCheckpoint, parseCheckpoint } from '../../src/identity/checkpoint.ts';
import {
  newNoteSigner,
  noteKeyKinds,
  parseNoteSigner,
  parseNoteVerifier,
} from '../../src/identity/note-key.ts';
import {
  cosignNote,
  formatNote,
  formatSignature,
  parseNote,
  signNote,
  verifiedBy,
} from '../../src/identity/signed-note.ts';

/** The example that the first implementation of signed notes documents. */
const peter = {
  verifier: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  signer: 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz',
  text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
  signature:
    '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=',
};

function logKey() {
  return newNoteSigner(noteKeyKinds.note, () => 'example/log');
}

describe('a key', () => {
  test('of another implementation is read, and signs what that one signs', () => {
    const signer = parseNoteSigner(peter.signer);
    expect(signer.text).toBe(peter.verifier);
    expect(signer.secret).toBe(peter.signer);
    expect(formatSignature(signNote(peter.text, signer))).toBe(peter.signature);
    const note = parseNote(`${peter.text}\n${peter.signature}\n`);
    expect(verifiedBy(note, parseNoteVerifier(peter.verifier))).toEqual({ timeSeconds: null });
  });

  test.each(['verifier', 'signer'] as const)('of which any byte changes is none: %s', (kind) => {
    const parse = kind === 'signer' ? parseNoteSigner : parseNoteVerifier;
    const bytes = Buffer.from(peter[kind]);
    for (let at = 0; at < bytes.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        const line = changed.toString('utf8');
        expect(() => parse(line), line).toThrow(
          expect.objectContaining({ code: 'AUDIT_KEY_INVALID' }),
        );
      }
    }
  });

  test('that is secret is not taken for a public one', () => {
    expect(() => parseNoteVerifier(peter.signer)).toThrow('signer key');
  });
});

describe('a note', () => {
  const signer = logKey();
  const witness = newNoteSigner(noteKeyKinds.cosignature, () => 'example/witness');
  const text = formatCheckpoint({
    origin: 'example/log',
    size: 7,
    root: Buffer.alloc(32, 1),
    seal: 'ab'.repeat(32),
    timeSeconds: 1_767_225_600,
  });
  const signatures = [signNote(text, signer), cosignNote(text, witness, 1_767_225_601)];
  const note = formatNote({ text, signatures });

  test('is written again as it was read', () => {
    expect(formatNote(parseNote(note))).toBe(note);
    expect(parseCheckpoint(parseNote(note).text)).toMatchObject({
      size: 7,
      timeSeconds: 1_767_225_600,
    });
    expect(verifiedBy(parseNote(note), witness)).toEqual({ timeSeconds: 1_767_225_601 });
  });

  test('of which any bit changes is no note, or one that both have not signed', () => {
    const bytes = Buffer.from(note);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      const at = bit >> 3;
      changed[at] = (changed[at] ?? 0) ^ (1 << (bit % 8));
      let held: (unknown | null)[] = [];
      try {
        const parsed = parseNote(changed.toString('utf8'));
        held = [verifiedBy(parsed, signer), verifiedBy(parsed, witness)];
      } catch (error) {
        expect(error).toMatchObject({ code: 'AUDIT_NOTE_INVALID' });
        continue;
      }
      expect(held.includes(null), `bit ${bit}`).toBe(true);
    }
  });

  test('is not signed by another key of the same name', () => {
    const stranger = newNoteSigner(noteKeyKinds.note, () => 'example/log');
    expect(verifiedBy(parseNote(note), stranger)).toBeNull();
  });

  test('of any other text is refused with a reason', () => {
    fc.assert(
      fc.property(fc.string(), (other) => {
        expect(() => parseNote(other)).toThrow(
          expect.objectContaining({ code: 'AUDIT_NOTE_INVALID' }),
        );
      }),
    );
    expect(() => parseNote(note.repeat(200))).toThrow('too long');
    expect(() => parseNote(`${text}\n${peter.signature.replace('—', '-')}\n`)).toThrow(
      'no signature',
    );
  });
});

describe('a checkpoint', () => {
  test('has one text', () => {
    const root = Buffer.alloc(32, 7).toString('base64');
    for (const bad of [
      `\n1\n${root}\n`,
      `log\n01\n${root}\n`,
      `log\n-1\n${root}\n`,
      `log\n1\n${root.slice(0, -1)}\n`,
      `log\n1\n${root}\n\nx\n`,
      'log\n1\n',
      `log\n99999999999999999\n${root}\n`,
    ]) {
      expect(() => parseCheckpoint(bad), bad).toThrow('This is no checkpoint');
    }
    expect(parseCheckpoint(`log\n0\n${root}\nsomething else\n`)).toMatchObject({
      size: 0,
      seal: null,
    });
  });
});
