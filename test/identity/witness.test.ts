import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatCheckpoint } from '../../src/identity/checkpoint.ts';
import { type NoteSigner, newNoteSigner, noteKeyKinds } from '../../src/identity/note-key.ts';
import { formatNote, parseNote, signNote, verifiedBy } from '../../src/identity/signed-note.ts';
import { readKnownLogs, Witness } from '../../src/identity/witness.ts';
import { formatWitnessRequest, parseWitnessRequest } from '../../src/identity/witness-request.ts';
import { consistencyProof, emptyRoot, leafHash, rangeHash } from '../../src/journal/merkle-tree.ts';
import { temporaryFolder, thrownBy } from '../journal/journal-fixture.ts';

/** A log whose leaves are what the text says. */
class Log {
  readonly signer: NoteSigner;
  readonly #leaves: Buffer[];

  constructor(signer: NoteSigner, contents: readonly string[]) {
    this.signer = signer;
    this.#leaves = contents.map((content) => leafHash(Buffer.from(content)));
  }

  note(size: number): string {
    const root = size === 0 ? emptyRoot : this.#range(0, size);
    const origin = this.signer.name;
    const text = formatCheckpoint({ origin, size, root, seal: null, timeSeconds: null });
    return formatNote({ text, signatures: [signNote(text, this.signer)] });
  }

  request(old: number, size: number) {
    return { old, proof: consistencyProof(old, size, this.#range), note: this.note(size) };
  }

  get #range() {
    return rangeHash((index) => this.#leaves[index] ?? Buffer.alloc(0));
  }
}

const contents = Array.from({ length: 40 }, (_, index) => `record ${index}`);

function setting() {
  const signer = newNoteSigner(noteKeyKinds.note, () => 'example/log');
  const witness = Witness.create(join(temporaryFolder(), 'witness'), 'example/witness');
  witness.addLog(signer.text);
  return { signer, witness, log: new Log(signer, contents) };
}

describe('a witness', () => {
  test('cosigns what continues what it saw, and remembers it in another process', () => {
    const { witness, log } = setting();
    const first = witness.cosign(log.request(0, 5), 100);
    expect(verifiedBy(parseNote(first.note), witness.verifier)).toEqual({ timeSeconds: 100 });
    const again = Witness.open(witness.folder);
    expect(again.logs()).toEqual([{ origin: 'example/log', size: 5 }]);
    for (const [old, size] of [
      [5, 6],
      [6, 32],
      [32, 40],
      [40, 40],
    ] as const) {
      expect(again.cosign(log.request(old, size), 101).note).toContain('— example/witness ');
    }
    expect(readKnownLogs(witness.folder)[0]?.stored.sizes()).toEqual([5, 6, 32, 40]);
  });

  test('refuses a log that goes back, and says how much it saw', () => {
    const { witness, log } = setting();
    witness.cosign(log.request(0, 20), 1);
    const error = thrownBy(() => witness.cosign(log.request(0, 12), 2));
    expect(error).toMatchObject({ code: 'WITNESS_CONFLICT', details: { size: 20 } });
    expect(String(error)).toContain('went back: it had 20 records, and this checkpoint has 12');
    expect(thrownBy(() => witness.cosign(log.request(12, 25), 2))).toMatchObject({
      code: 'WITNESS_CONFLICT',
      details: { size: 20 },
    });
    expect(witness.logs()).toEqual([{ origin: 'example/log', size: 20 }]);
  });

  test('refuses another history, of the same size and of any larger one', () => {
    const { witness, signer, log } = setting();
    witness.cosign(log.request(0, 20), 1);
    for (const changed of [0, 7, 19]) {
      const forged = new Log(signer, contents.with(changed, 'forged'));
      expect(thrownBy(() => witness.cosign(forged.request(20, 20), 2)).code).toBe(
        'WITNESS_CONFLICT',
      );
      for (let size = 21; size <= contents.length; size += 1) {
        const request = forged.request(20, size);
        expect(thrownBy(() => witness.cosign(request, 2)).code).toBe('WITNESS_REFUSED');
        const borrowed = { ...request, proof: log.request(20, size).proof };
        expect(thrownBy(() => witness.cosign(borrowed, 2)).code).toBe('WITNESS_REFUSED');
      }
    }
    const later = new Log(signer, contents.with(20, 'forged'));
    expect(() => witness.cosign(later.request(20, 30), 2)).not.toThrow();
    expect(thrownBy(() => witness.cosign(log.request(30, 40), 3)).code).toBe('WITNESS_REFUSED');
  });

  test('refuses a log that it does not know, and a key that is not the one it knows', () => {
    const { witness } = setting();
    const stranger = newNoteSigner(noteKeyKinds.note, () => 'example/other');
    const unknown = new Log(stranger, contents).request(0, 3);
    expect(thrownBy(() => witness.cosign(unknown, 1)).code).toBe('WITNESS_LOG_UNKNOWN');
    const impostor = newNoteSigner(noteKeyKinds.note, () => 'example/log');
    const signed = new Log(impostor, contents).request(0, 3);
    expect(thrownBy(() => witness.cosign(signed, 1)).code).toBe('WITNESS_SIGNATURE');
    expect(thrownBy(() => witness.addLog(impostor.text)).code).toBe('WITNESS_REFUSED');
    expect(thrownBy(() => witness.addLog(witness.verifier.text)).code).toBe('AUDIT_KEY_INVALID');
  });

  test('does not go on from a last checkpoint that it did not write', () => {
    const { witness, log } = setting();
    witness.cosign(log.request(0, 20), 1);
    const stored = readKnownLogs(witness.folder)[0]?.stored;
    const path = stored?.pathOf(20) ?? '';
    writeFileSync(path, readFileSync(path, 'utf8').replace('\n20\n', '\n19\n'));
    expect(thrownBy(() => witness.cosign(log.request(20, 21), 2)).code).toBe('WITNESS_DAMAGED');
  });

  test('is made once, and found only where it was made', () => {
    const { witness } = setting();
    expect(thrownBy(() => Witness.create(witness.folder)).code).toBe('WITNESS_EXISTS');
    expect(thrownBy(() => Witness.open(temporaryFolder())).code).toBe('WITNESS_NOT_FOUND');
    expect(thrownBy(() => Witness.create(temporaryFolder(), 'a b')).code).toBe('AUDIT_KEY_INVALID');
  });
});

describe('a request to a witness', () => {
  test('is read as it was written', () => {
    const { log } = setting();
    for (const size of [1, 7, 40]) {
      const request = log.request(7, Math.max(7, size));
      expect(parseWitnessRequest(formatWitnessRequest(request))).toEqual(request);
    }
  });

  test.each(['', 'old 1', 'old -1\n\nx', 'old 1\nno hash\n\nx', 'new 1\n\nx', 'old 01\n\nx'])(
    'of another form is refused: %j',
    (text) => {
      expect(() => parseWitnessRequest(text)).toThrow('no request to a witness');
    },
  );
});
