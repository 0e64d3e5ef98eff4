import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ActuatorContext } from '../../src/actuators/actuator.ts';
import { fileActuator } from '../../src/actuators/file.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { limits } from '../../src/kernel/limits.ts';
import { actuatorContext } from './actuator-context.ts';

let base: string;
let workspace: string;
let context: ActuatorContext;
const { operations } = fileActuator();

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'claw-file-')));
  workspace = join(base, 'workspace');
  mkdirSync(workspace);
  context = actuatorContext(workspace);
});
afterEach(() => rmSync(base, { recursive: true }));

async function call(name: string, args: unknown, within = context): Promise<unknown> {
  const operation = operations[name];
  return operation?.perform(operation.arguments.parse(args), within);
}

const write = (path: string, text: string, within?: ActuatorContext) =>
  call('write', { path, text }, within);
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: { code: string }) => error.code,
  );

test('writes what it reads, byte for byte, and tells size and hash', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), async (text) => {
      const bytes = Buffer.from(text);
      expect(await write('sub/dir/a.txt', text)).toEqual({
        path: 'sub/dir/a.txt',
        bytes: bytes.length,
        sha256: sha256(bytes),
      });
      expect(await call('read', { path: 'sub/dir/a.txt' })).toEqual({
        path: 'sub/dir/a.txt',
        text,
        bytes: bytes.length,
      });
    }),
    { numRuns: 60 },
  );
  expect(readdirSync(join(workspace, 'sub/dir'))).toEqual(['a.txt']);
});

test('a repeat with the same content does not touch the file', async () => {
  await write('a.txt', 'one');
  const file = join(workspace, 'a.txt');
  utimesSync(file, 1, 1);
  const before = statSync(file);
  expect(await write('a.txt', 'one')).toMatchObject({ bytes: 3 });
  expect(statSync(file)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
  await write('a.txt', 'two');
  expect(readFileSync(file, 'utf8')).toBe('two');
  expect(statSync(file).ino).not.toBe(before.ino);
});

test('a reader sees the old file or the new one, never a part', async () => {
  const texts = ['a'.repeat(200_000), 'b'.repeat(100_000)];
  await write('f.txt', texts[0] ?? '');
  let writing = true;
  const writer = (async () => {
    for (let turn = 1; turn <= 10; turn += 1) {
      await write('f.txt', texts[turn % 2] ?? '', actuatorContext(workspace, { sequence: turn }));
    }
    writing = false;
  })();
  while (writing) {
    expect(texts).toContain(readFileSync(join(workspace, 'f.txt'), 'utf8'));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await writer;
});

test('intentions that write to one new folder at once all succeed', async () => {
  await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      write(
        `new/folder/${index}.txt`,
        `${index}`,
        actuatorContext(workspace, { sequence: index + 1 }),
      ),
    ),
  );
  expect(readdirSync(join(workspace, 'new/folder')).length).toBe(20);
});

test('goes over what a crash left under the same key', async () => {
  const mark = sha256(context.key).slice(0, 16);
  writeFileSync(join(workspace, `.claw-${mark}.tmp`), 'half');
  await write('a.txt', 'whole');
  expect(readdirSync(workspace)).toEqual(['a.txt']);
});

test('lists a folder by name, without half-written files, and follows no link', async () => {
  await write('b.txt', 'bb');
  await write('ä/x', '');
  symlinkSync('b.txt', join(workspace, 'link'));
  writeFileSync(join(workspace, '.claw-0123456789abcdef.tmp'), 'half');
  expect(await call('list', {})).toEqual({
    path: '.',
    entries: [
      { name: 'b.txt', type: 'file', bytes: 2 },
      { name: 'link', type: 'other', bytes: 0 },
      { name: 'ä', type: 'folder', bytes: 0 },
    ],
  });
});

test('lists no more entries than the limit', async () => {
  for (let index = 0; index <= limits.workspaceEntriesMax; index += 1) {
    writeFileSync(join(workspace, `${index}`), '');
  }
  expect(await codeOf(call('list', { path: '.' }))).toBe('FILE_TOO_LARGE');
});

test('keeps to the size limit on both ways', async () => {
  const largest = 'x'.repeat(limits.workspaceFileBytesMax);
  expect(await write('large', largest)).toMatchObject({ bytes: limits.workspaceFileBytesMax });
  expect(await call('read', { path: 'large' })).toMatchObject({
    bytes: limits.workspaceFileBytesMax,
  });
  expect(await codeOf(write('larger', `${largest}x`))).toBe('FILE_TOO_LARGE');
  writeFileSync(join(workspace, 'larger'), `${largest}x`);
  expect(await codeOf(call('read', { path: 'larger' }))).toBe('FILE_TOO_LARGE');
});

test('names what is not there, not a file, or not text', async () => {
  mkdirSync(join(workspace, 'folder'));
  writeFileSync(join(workspace, 'binary'), Buffer.from([0xff, 0xfe, 0x00]));
  expect(await codeOf(call('read', { path: 'gone.txt' }))).toBe('FILE_NOT_FOUND');
  expect(await codeOf(call('read', { path: 'folder' }))).toBe('FILE_NOT_FOUND');
  expect(await codeOf(call('read', { path: 'binary/x' }))).toBe('FILE_NOT_FOUND');
  expect(await codeOf(call('read', { path: 'binary' }))).toBe('DOCUMENT_NOT_TEXT');
  expect(await codeOf(call('list', { path: 'binary' }))).toBe('FILE_NOT_FOUND');
  expect(await codeOf(write('folder', 'x'))).toBe('FILE_NOT_FOUND');
  expect(await codeOf(write('.', 'x'))).toBe('FILE_NOT_FOUND');
  expect(await codeOf(write('x'.repeat(300), 'x'))).toBe('FILE_NOT_FOUND');
});

test('an error names the path of the workspace and nothing of the host', async () => {
  await expect(call('read', { path: 'gone.txt' })).rejects.toMatchObject({
    message: 'There is no file "gone.txt" in the workspace; check the path.',
  });
});

test.each(['../out.txt', '/tmp/out.txt', 'up/out.txt', 'link.txt', 'dangling.txt'])(
  'neither reads nor writes %s outside',
  async (path) => {
    writeFileSync(join(base, 'out.txt'), 'outside');
    symlinkSync('..', join(workspace, 'up'));
    symlinkSync('../out.txt', join(workspace, 'link.txt'));
    symlinkSync('../new.txt', join(workspace, 'dangling.txt'));
    expect(await codeOf(call('read', { path }))).toBe('FILE_OUTSIDE_WORKSPACE');
    expect(await codeOf(write(path, 'x'))).toBe('FILE_OUTSIDE_WORKSPACE');
    expect(await codeOf(call('list', { path }))).toBe('FILE_OUTSIDE_WORKSPACE');
    expect(readdirSync(base).sort()).toEqual(['out.txt', 'workspace']);
    expect(readFileSync(join(base, 'out.txt'), 'utf8')).toBe('outside');
  },
);

test.skipIf(process.platform === 'win32')('does not wait at a pipe', async () => {
  const makePipe = 'mkfifo';
  execFileSync(makePipe, [join(workspace, 'pipe')]);
  expect(await codeOf(call('read', { path: 'pipe' }))).toBe('FILE_NOT_FOUND');
});

test('appends in the order of the calls, to a new file and to an old one', async () => {
  expect(await call('append', { path: 'sub/log.md', text: 'één\n' })).toEqual({
    path: 'sub/log.md',
    appended: 6,
  });
  await call('append', { path: 'sub/log.md', text: 'two\n' });
  await call('append', { path: 'sub/log.md', text: '' });
  expect(readFileSync(join(workspace, 'sub/log.md'), 'utf8')).toBe('één\ntwo\n');
  const { presumed } = operations.append ?? {};
  expect(presumed?.({ path: 'sub/log.md', text: 'één\n' })).toEqual({
    path: 'sub/log.md',
    appended: 6,
  });
});

test('appends nothing outside, to no folder, and not beyond what a file may have', async () => {
  const append = (path: string, text = 'x') => codeOf(call('append', { path, text }));
  writeFileSync(join(base, 'secret'), 's');
  symlinkSync(join(base, 'secret'), join(workspace, 'link'));
  mkdirSync(join(workspace, 'folder'));
  writeFileSync(join(workspace, 'full'), Buffer.alloc(limits.workspaceFileBytesMax));
  expect(await append('../secret')).toBe('FILE_OUTSIDE_WORKSPACE');
  expect(await append('link')).toBe('FILE_OUTSIDE_WORKSPACE');
  expect(await append('folder')).toBe('FILE_NOT_FOUND');
  expect(await append('full')).toBe('FILE_TOO_LARGE');
  expect(readFileSync(join(base, 'secret'), 'utf8')).toBe('s');
  expect(statSync(join(workspace, 'full')).size).toBe(limits.workspaceFileBytesMax);
});
