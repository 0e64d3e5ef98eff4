import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { readFolder } from '../../src/sandbox/folder-mount.ts';
import { MountBudget } from '../../src/sandbox/mount-budget.ts';

let folder = '';
let outside = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'openclaw-mount-'));
  outside = mkdtempSync(join(tmpdir(), 'openclaw-outside-'));
  writeFileSync(join(outside, 'canary.txt'), 'canary');
});
afterEach(() => {
  for (const path of [folder, outside]) rmSync(path, { recursive: true, force: true });
});

const read = (path = folder) => readFolder(path, { at: '/docs', budget: new MountBudget() });

test('reads files and folders, empty ones too', () => {
  mkdirSync(join(folder, 'sub/empty'), { recursive: true });
  writeFileSync(join(folder, 'a.txt'), 'one');
  writeFileSync(join(folder, 'sub/b.bin'), Buffer.from([0, 255]));
  const { mount, leftOut } = read();
  expect(mount.at).toBe('/docs');
  expect([...mount.files].sort()).toEqual([
    ['a.txt', Buffer.from('one')],
    ['sub/b.bin', Buffer.from([0, 255])],
  ]);
  expect([...(mount.folders ?? [])].sort()).toEqual(['sub', 'sub/empty']);
  expect(leftOut).toEqual([]);
});

test('leaves out what leads elsewhere or is no file, and says so', () => {
  writeFileSync(join(folder, 'ok'), '1');
  symlinkSync(join(outside, 'canary.txt'), join(folder, 'link'));
  symlinkSync(outside, join(folder, 'folder-link'));
  symlinkSync('.', join(folder, 'circle'));
  symlinkSync('/etc/none', join(folder, 'dangling'));
  symlinkSync('ok', join(folder, 'inside'));
  spawnSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'pipe')]);
  writeFileSync(join(folder, 'back\\slash'), 'x');
  writeFileSync(join(folder, 'line\nbreak'), 'x');
  const { mount, leftOut } = read();
  expect([...mount.files.keys()]).toEqual(['ok']);
  expect([...leftOut].sort()).toEqual([
    'back\\slash (no name of a path)',
    'circle (a symbolic link)',
    'dangling (a symbolic link)',
    'folder-link (a symbolic link)',
    'inside (a symbolic link)',
    'line\nbreak (no name of a path)',
    'link (a symbolic link)',
    'pipe (no regular file)',
  ]);
});

test('the folder that is named may be a link itself, and a second name of a file is a file', () => {
  linkSync(join(outside, 'canary.txt'), join(outside, 'again'));
  symlinkSync(outside, join(folder, 'link'));
  expect([...read(join(folder, 'link')).mount.files.keys()].sort()).toEqual([
    'again',
    'canary.txt',
  ]);
});

test('is bounded in depth and bytes over all mounts', () => {
  const deep = join(folder, ...Array.from({ length: limits.overlayDepthMax + 3 }, () => 'd'));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'x'), 'x');
  const { mount, leftOut } = read();
  expect([...mount.files]).toEqual([]);
  expect(leftOut).toEqual([expect.stringContaining('(too deep)')]);
  const budget = new MountBudget();
  writeFileSync(join(outside, 'large'), Buffer.alloc(limits.sandboxMountBytesMax / 2));
  readFolder(outside, { at: '/a', budget });
  expect(() => readFolder(outside, { at: '/b', budget })).toThrow(
    expect.objectContaining({
      code: 'SANDBOX_MOUNT_INVALID',
      message: expect.stringContaining(`larger than ${limits.sandboxMountBytesMax} bytes`),
    }),
  );
});

test.each(['none', 'file'])('what is no folder is refused: %s', (name) => {
  writeFileSync(join(folder, 'file'), 'x');
  expect(() => read(join(folder, name))).toThrow(
    expect.objectContaining({ code: 'SANDBOX_MOUNT_INVALID' }),
  );
});
