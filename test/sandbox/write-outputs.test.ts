import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeOutputs } from '../../src/sandbox/write-outputs.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'openclaw-outputs-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (path: string, text: string) => ({ path: path.split('/'), bytes: Buffer.from(text) });
const refusal = expect.objectContaining({ code: 'OUTPUT_NOT_WRITABLE' });

test('writes every file into a folder that is new or empty, for its owner alone', () => {
  for (const name of ['new', 'empty']) {
    const to = join(folder, name);
    if (name === 'empty') mkdirSync(to);
    writeOutputs(to, [file('a.txt', 'one'), file('sub/deep/b', 'two'), file('sub/c', '')]);
    expect(readFileSync(join(to, 'a.txt'), 'utf8')).toBe('one');
    expect(readFileSync(join(to, 'sub/deep/b'), 'utf8')).toBe('two');
    expect(statSync(join(to, 'a.txt')).mode & 0o777).toBe(0o600);
  }
  expect(readdirSync(folder).sort()).toEqual(['empty', 'new']);
});

test('overwrites nothing', () => {
  writeFileSync(join(folder, 'mine'), 'mine');
  expect(() => writeOutputs(folder, [file('mine', 'theirs')])).toThrow(refusal);
  expect(() => writeOutputs(join(folder, 'mine'), [])).toThrow(refusal);
  expect(() => writeOutputs(join(folder, 'none/sub'), [])).toThrow(refusal);
  expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('mine');
});

test('a fault leaves nothing behind', () => {
  const to = join(folder, 'new');
  expect(() => writeOutputs(to, [file('a', '1'), file('a', '2')])).toThrow(refusal);
  expect(readdirSync(folder)).toEqual([]);
});

test.each(['..', '.', '', 'a\u0000b', 'a\\b'])('the name %j is never written', (name) => {
  const to = join(folder, 'new');
  expect(() => writeOutputs(to, [{ path: [name, 'x'], bytes: Buffer.from('') }])).toThrow(refusal);
  expect(readdirSync(folder)).toEqual([]);
});

test('a link in the place of the folder is not written through', () => {
  mkdirSync(join(folder, 'target'));
  writeFileSync(join(folder, 'target/x'), 'kept');
  symlinkSync(join(folder, 'target'), join(folder, 'link'));
  expect(() => writeOutputs(join(folder, 'link'), [file('x', 'new')])).toThrow(refusal);
  expect(readFileSync(join(folder, 'target/x'), 'utf8')).toBe('kept');
  expect(existsSync(join(folder, 'target/y'))).toBe(false);
});
