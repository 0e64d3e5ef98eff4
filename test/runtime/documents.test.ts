import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PipelineDefinition } from '../../src/actors/pipeline-definition.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { limits } from '../../src/kernel/limits.ts';
import { readDocument } from '../../src/runtime/document-reader.ts';
import { listDocuments, readDocuments } from '../../src/runtime/documents.ts';
import { CpuPool } from '../../src/runtime/pool/client.ts';

const pool = new CpuPool({ threads: 2 });
afterAll(() => pool.close());

let root = '';
let folder = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'documents-'));
  folder = join(root, 'in');
  mkdirSync(folder);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function input(
  documents: Partial<PipelineDefinition['input']['documents']> = {},
): PipelineDefinition['input'] {
  return { documents: { include: ['*.txt'], ...documents } };
}

function put(name: string, content: string | Uint8Array): void {
  writeFileSync(join(folder, name), content);
}

describe('listDocuments', () => {
  it('takes files by pattern in the order of their bytes', async () => {
    for (const name of ['b.txt', 'B.txt', 'ä.txt', 'a10.txt', 'a2.txt', 'c.md']) put(name, 'x');
    mkdirSync(join(folder, 'folder.txt'));
    expect(await listDocuments(folder, input())).toEqual([
      'B.txt',
      'a10.txt',
      'a2.txt',
      'b.txt',
      'ä.txt',
    ]);
  });

  it('matches patterns with stars anywhere', async () => {
    for (const name of ['mail-1.txt', 'mail-2.eml', 'other.txt', 'mail']) put(name, 'x');
    const list = (...include: string[]): Promise<string[]> =>
      listDocuments(folder, input({ include }));
    expect(await list('mail-*.*')).toEqual(['mail-1.txt', 'mail-2.eml']);
    expect(await list('*')).toHaveLength(4);
    expect(await list('mail')).toEqual(['mail']);
    expect(await list('*1*', 'o*r.txt')).toEqual(['mail-1.txt', 'other.txt']);
    await expect(list('ma*ail')).rejects.toMatchObject({ code: 'INPUT_EMPTY' });
    await expect(list('m.il')).rejects.toMatchObject({ code: 'INPUT_EMPTY' });
  });

  it('ignores hidden files', async () => {
    put('.hidden.txt', 'x');
    put('seen.txt', 'x');
    expect(await listDocuments(folder, input())).toEqual(['seen.txt']);
  });

  it('follows a link inside the folder and no link that leads out or nowhere', async () => {
    put('real.txt', 'x');
    writeFileSync(join(root, 'secret.txt'), 'x');
    mkdirSync(join(root, 'in-too'));
    writeFileSync(join(root, 'in-too', 'secret.txt'), 'x');
    symlinkSync('real.txt', join(folder, 'inside.txt'));
    symlinkSync('../secret.txt', join(folder, 'outside.txt'));
    symlinkSync('../in-too/secret.txt', join(folder, 'sibling.txt'));
    symlinkSync('gone.txt', join(folder, 'nowhere.txt'));
    symlinkSync('loop.txt', join(folder, 'loop.txt'));
    expect(await listDocuments(folder, input())).toEqual(['inside.txt', 'real.txt']);
  });

  it.each([
    ['a folder that does not exist', 'gone', /does not exist/],
    ['a file', 'in/a.txt', /is not a folder/],
  ])('refuses %s', async (_, name, message) => {
    put('a.txt', 'x');
    const result = listDocuments(join(root, name), input());
    await expect(result).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' });
    await expect(result).rejects.toThrow(message);
  });

  it('refuses a folder without documents and says what it looked for', async () => {
    put('a.pdf', 'x');
    const result = listDocuments(folder, input({ include: ['*.txt', '*.md'] }));
    await expect(result).rejects.toMatchObject({ code: 'INPUT_EMPTY' });
    await expect(result).rejects.toThrow(/\*\.txt, \*\.md/);
  });

  it('refuses more documents than a run may take', async () => {
    for (let index = 0; index <= limits.documentsMax; index += 1) put(`${index}.txt`, '');
    await expect(listDocuments(folder, input())).rejects.toMatchObject({
      code: 'TOO_MANY_DOCUMENTS',
    });
  });

  it('refuses a huge document and names it', async () => {
    put('fits.txt', 'x'.repeat(limits.documentBytesMax));
    expect(await listDocuments(folder, input())).toEqual(['fits.txt']);
    put('huge.txt', 'x'.repeat(limits.documentBytesMax + 1));
    const result = listDocuments(folder, input());
    await expect(result).rejects.toMatchObject({ code: 'DOCUMENT_TOO_LARGE' });
    await expect(result).rejects.toThrow(/huge\.txt/);
  });
});

describe('readDocuments', () => {
  it('gives name, hash, size and text of each document in order', async () => {
    const count = limits.documentsPerTask * 2 + 1;
    for (let index = 0; index < count; index += 1) {
      put(`${String(index).padStart(3, '0')}.txt`, `Grüße ${index}`);
    }
    const documents = await readDocuments(folder, input(), pool);
    expect(documents).toHaveLength(count);
    expect(documents[count - 1]).toEqual({
      name: '032.txt',
      sha256: sha256('Grüße 32'),
      bytes: 10,
      text: 'Grüße 32',
      part: null,
    });
    const names = documents.map((document) => document.name);
    expect(names).toEqual([...names].sort());
  });

  it('splits a long document and numbers its parts', async () => {
    const text = `${'a'.repeat(150)}\n\n${'b'.repeat(150)}`;
    put('long.txt', text);
    put('short.txt', 'short');
    const documents = await readDocuments(folder, input({ split: { maxCharacters: 200 } }), pool);
    expect(documents.map(({ name, part }) => ({ name, part }))).toEqual([
      { name: 'long.txt', part: { index: 1, count: 2 } },
      { name: 'long.txt', part: { index: 2, count: 2 } },
      { name: 'short.txt', part: null },
    ]);
    expect(documents[1]).toMatchObject({ text: 'b'.repeat(150), sha256: sha256(text), bytes: 302 });
  });

  it('counts parts as documents', async () => {
    const text = 'word '.repeat(50_000);
    for (let index = 0; index < 3; index += 1) put(`${index}.txt`, text);
    const result = readDocuments(folder, input({ split: { maxCharacters: 200 } }), pool);
    await expect(result).rejects.toMatchObject({ code: 'TOO_MANY_DOCUMENTS' });
  });

  it.each([
    ['bytes that are no UTF-8', Uint8Array.of(0x61, 0xff, 0x62)],
    ['a NUL byte', Uint8Array.of(0x61, 0x00, 0x62)],
    ['half a character at the end', Uint8Array.of(0x61, 0xc3)],
  ])('refuses a document with %s and names it', async (_, bytes) => {
    put('good.txt', 'x');
    put('picture.txt', bytes);
    const result = readDocuments(folder, input(), pool);
    await expect(result).rejects.toMatchObject({ code: 'DOCUMENT_NOT_TEXT' });
    await expect(result).rejects.toThrow(/picture\.txt/);
  });

  it('names a file that cannot be read', async () => {
    // Permissions do not stop root, but nobody can read a file that is a folder by now.
    mkdirSync(join(folder, 'changed.txt'));
    expect(() => readDocument(folder, 'changed.txt', null)).toThrow(/changed\.txt/);
    expect(() => readDocument(folder, 'gone.txt', null)).toThrow(
      expect.objectContaining({ code: 'INPUT_NOT_FOUND' }),
    );
  });
});
