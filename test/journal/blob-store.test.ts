import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { externalize, internalize, mayRefer, storeBlobs } from '../../src/journal/blob-store.ts';
import { blobPath } from '../../src/journal/data-folders.ts';
import { canonicalJson, sha256 } from '../../src/kernel/hash.ts';
import type { Json } from '../../src/kernel/json.ts';
import { limits } from '../../src/kernel/limits.ts';
import { contentOf, plainText, temporaryFolder, thrownBy } from './journal-fixture.ts';

const longText = fc.string({ minLength: 1, unit: 'binary' }).map((text) => {
  return text.repeat(Math.ceil(limits.inlineTextCharactersMax / text.length));
});
const key = fc.oneof(
  fc.constantFrom('$blob', '$$blob', '$$$blob', 'blob', '__proto__', ''),
  fc.string({ maxLength: 5 }),
);
const { value: jsonValue } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(null, true, 0, -1.5),
    fc.string({ maxLength: 20 }),
    longText,
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(key, tie('value')), { maxLength: 4 })
      .map((entries) => Object.fromEntries(entries)),
  ),
}));

describe('externalize', () => {
  test('is undone by internalize, for every JSON value', () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        const { value: short, blobs } = externalize(value);
        expect(internalize(short, (hash) => blobs.get(hash) ?? null)).toEqual(value);
        // Through the text that the journal stores, too.
        const stored = JSON.parse(JSON.stringify(short)) as Json;
        const back = internalize(stored, (hash) => blobs.get(hash) ?? null);
        expect(JSON.stringify(back)).toBe(JSON.stringify(value));
      }),
      { numRuns: 500 },
    );
  });

  test('is deterministic and leaves no long text behind', () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        const first = externalize(value);
        const second = externalize(value);
        expect(canonicalJson(first.value)).toBe(canonicalJson(second.value));
        expect([...first.blobs.keys()]).toEqual([...second.blobs.keys()]);
        for (const [hash, content] of first.blobs) expect(sha256(content)).toBe(hash);
        const longest = Math.max(0, ...collect(first.value).map((text) => text.length));
        expect(longest).toBeLessThan(limits.inlineTextCharactersMax);
      }),
    );
  });

  test('stores equal texts once and keeps texts just below the limit', () => {
    const text = 'x'.repeat(limits.inlineTextCharactersMax);
    const { value, blobs } = externalize({ a: text, b: [text], c: text.slice(1) });
    expect(blobs.size).toBe(1);
    expect(value).toEqual({
      a: { $blob: sha256(text) },
      b: [{ $blob: sha256(text) }],
      c: text.slice(1),
    });
  });

  test('keeps a text that has no UTF-8', () => {
    const text = `\ud800${'x'.repeat(limits.inlineTextCharactersMax)}`;
    expect(externalize(text)).toEqual({ value: text, blobs: new Map() });
  });
});

/** Every well-formed string value inside. */
function collect(value: Json): string[] {
  if (typeof value === 'string') return value.isWellFormed() ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap((inner) => collect(inner as Json));
}

describe('internalize', () => {
  test('names a blob that is missing', () => {
    const hash = sha256('gone');
    expect(thrownBy(() => internalize({ a: { $blob: hash } }, () => null))).toMatchObject({
      code: 'BLOB_MISSING',
      details: { hash },
    });
  });
});

describe('a body that may refer to texts', () => {
  test.each([
    ['{"$blob":1}', true],
    ['{"$$blob":1}', true],
    [String.raw`{"\u0024blob":1}`, true],
    [String.raw`{"$\u0062lob":1}`, true],
    ['{"blob":"$"}', false],
  ])('%s: %s', (text, expected) => {
    expect(mayRefer(text)).toBe(expected);
  });
});

describe('storeBlobs', () => {
  test('makes records of small blobs and complete files of large ones', () => {
    const folder = temporaryFolder();
    const edge = Buffer.alloc(limits.blobRecordBytesMax, 'a');
    const over = randomBytes(limits.blobRecordBytesMax + 1);
    const blobs = new Map([
      [sha256(edge), edge],
      [sha256(over), over],
    ]);
    for (let time = 1; time <= 2; time += 1) {
      const records = storeBlobs(folder, null, blobs, time);
      expect(records.map((record) => contentOf(record))).toEqual([edge]);
    }
    const path = blobPath(folder, null, sha256(over));
    expect(readFileSync(path)).toEqual(over);
    expect(readdirSync(dirname(path))).toEqual([sha256(over)]);
    expect(existsSync(blobPath(folder, null, sha256(edge)))).toBe(false);
  });

  test('compresses what gets much shorter, and nothing else', () => {
    const folder = temporaryFolder();
    const contents = {
      record: Buffer.from('the same words again and again. '.repeat(50)),
      noise: randomBytes(1_600),
      short: Buffer.from('again and again and again and again'),
      file: Buffer.from('the same words in a large file. '.repeat(5_000)),
    };
    const store = (content: Buffer) =>
      storeBlobs(folder, null, new Map([[sha256(content), content]]), 1);
    const [record] = store(contents.record);
    expect(record?.compressed).toBe(true);
    expect(record?.body.length).toBeLessThan(contents.record.length / 4);
    expect(record && contentOf(record)).toEqual(contents.record);
    for (const content of [contents.noise, contents.short]) {
      const [plain] = store(content);
      expect(plain).not.toHaveProperty('compressed');
      expect(plain && contentOf(plain)).toEqual(content);
    }
    const path = blobPath(folder, null, sha256(contents.file));
    for (let time = 1; time <= 2; time += 1) {
      expect(store(contents.file)).toEqual([]);
      expect(readdirSync(dirname(path))).toEqual([`${sha256(contents.file)}.zst`]);
    }
    expect(readFileSync(`${path}.zst`).length).toBeLessThan(contents.file.length / 4);
  });

  test('gives back no record that promises more than a record may hold', () => {
    const bomb = Buffer.alloc(limits.recordTextBytesMax + 1);
    const fits = Buffer.alloc(limits.recordTextBytesMax);
    expect(contentOf(plainText(sha256(fits), fits, 1)).equals(fits)).toBe(true);
    const record = plainText(sha256(bomb), bomb, 1);
    expect(record.body.length).toBeLessThan(1_000);
    expect(thrownBy(() => contentOf(record)).code).toBe('JOURNAL_CORRUPT');
  });

  test('says what is wrong when the folder is not usable', () => {
    const content = Buffer.alloc(limits.blobRecordBytesMax + 1);
    const store = () => storeBlobs('/dev/null', null, new Map([[sha256(content), content]]), 1);
    expect(thrownBy(store).code).toBe('JOURNAL_FAILED');
  });
});
