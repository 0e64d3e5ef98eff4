/**
 * Goal: the tree behaves as a file system does, within its limits, and a mount
 * stays as it was. Method: single operations against their documented codes,
 * and random sequences against sums that are computed anew from the tree.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits as bounds } from '../../src/kernel/limits.ts';
import { executionLimits, type FileLimits } from '../../src/sandbox/execution-limits.ts';
import { OverlayFileSystem } from '../../src/sandbox/overlay-file-system.ts';
import { traversalStrings } from './traversal-strings.ts';

const standard = executionLimits() as FileLimits;
const bytes = (text: string) => Buffer.from(text);

function system(given: Partial<FileLimits> = {}): OverlayFileSystem {
  const files = new Map([
    ['a.txt', bytes('first')],
    ['deep/b.txt', bytes('second')],
  ]);
  return new OverlayFileSystem({
    mounts: [{ at: '/docs', files, folders: ['empty'] }],
    limits: { ...standard, ...given },
  });
}

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('reading', () => {
  test('finds mounted files, whole and in parts', () => {
    const fs = system();
    expect(fs.readFile('/docs/a.txt').toString()).toBe('first');
    expect(fs.readFile('docs/deep/../a.txt', { offset: 1, length: 3 }).toString()).toBe('irs');
    expect(fs.readFile('/docs/a.txt', { offset: 9 }).toString()).toBe('');
    expect(fs.stat('/docs/deep')).toEqual({ type: 'folder', size: 0 });
    expect(fs.stat('/docs/a.txt')).toEqual({ type: 'file', size: 5 });
    expect(fs.readdir('/docs').map(({ name }) => name)).toEqual(['a.txt', 'deep', 'empty']);
    expect(fs.readdir('/').map(({ name }) => name)).toEqual(['docs', 'out']);
  });

  test.each([
    ['ENOENT', (fs: OverlayFileSystem) => fs.readFile('/docs/none')],
    ['ENOENT', (fs: OverlayFileSystem) => fs.stat('/none/x')],
    ['EISDIR', (fs: OverlayFileSystem) => fs.readFile('/docs')],
    ['ENOTDIR', (fs: OverlayFileSystem) => fs.readFile('/docs/a.txt/x')],
    ['ENOTDIR', (fs: OverlayFileSystem) => fs.readdir('/docs/a.txt')],
    ['EINVAL', (fs: OverlayFileSystem) => fs.readFile('\\docs')],
  ])('refuses with %s (%#)', (expected, act) => {
    expect(() => act(system())).toThrow(code(expected));
  });
});

describe('writing', () => {
  test('lies over a mount, which stays as it was', () => {
    const shared = bytes('shared');
    const mounts = [{ at: '/docs', files: new Map([['x', shared]]) }];
    const fs = new OverlayFileSystem({ mounts, limits: standard });
    fs.appendFile('/docs/x', bytes('!'));
    expect(fs.readFile('/docs/x').toString()).toBe('shared!');
    fs.writeFile('/docs/x', bytes('other'));
    fs.rm('/docs', { recursive: true });
    expect(shared.toString()).toBe('shared');
    const next = new OverlayFileSystem({ mounts, limits: standard });
    expect(next.readFile('/docs/x').toString()).toBe('shared');
  });

  test('copies what it is given, and appends piece by piece', () => {
    const fs = system();
    const given = bytes('abc');
    fs.writeFile('/x', given);
    given.fill(0);
    for (let index = 0; index < 100; index += 1) fs.appendFile('/x', bytes(`${index},`));
    const whole = `abc${Array.from({ length: 100 }, (_, index) => `${index},`).join('')}`;
    expect(fs.readFile('/x').toString()).toBe(whole);
  });

  test('makes, moves and removes folders', () => {
    const fs = system();
    fs.mkdir('/a/b/c', { recursive: true });
    fs.mkdir('/a/b/c', { recursive: true });
    fs.writeFile('/a/b/c/x', bytes('1'));
    fs.rename('/a/b', '/moved');
    expect(fs.readFile('/moved/c/x').toString()).toBe('1');
    expect(fs.readdir('/a')).toEqual([]);
    fs.rename('/moved/c/x', '/docs/a.txt');
    expect(fs.readFile('/docs/a.txt').toString()).toBe('1');
    fs.rm('/docs', { recursive: true });
    expect(() => fs.stat('/docs/a.txt')).toThrow(code('ENOENT'));
    fs.rm('/docs', { force: true });
  });

  test.each([
    ['ENOENT', (fs: OverlayFileSystem) => fs.writeFile('/none/x', bytes(''))],
    ['ENOENT', (fs: OverlayFileSystem) => fs.mkdir('/x/y')],
    ['ENOENT', (fs: OverlayFileSystem) => fs.rm('/none')],
    ['ENOENT', (fs: OverlayFileSystem) => fs.rename('/none', '/x')],
    ['EISDIR', (fs: OverlayFileSystem) => fs.writeFile('/docs', bytes(''))],
    ['EISDIR', (fs: OverlayFileSystem) => fs.rm('/docs')],
    ['EISDIR', (fs: OverlayFileSystem) => fs.rename('/docs/a.txt', '/docs/deep')],
    ['ENOTDIR', (fs: OverlayFileSystem) => fs.writeFile('/docs/a.txt/x', bytes(''))],
    ['ENOTDIR', (fs: OverlayFileSystem) => fs.mkdir('/docs/a.txt/x/y', { recursive: true })],
    ['ENOTDIR', (fs: OverlayFileSystem) => fs.rename('/docs/deep', '/docs/a.txt')],
    ['EEXIST', (fs: OverlayFileSystem) => fs.mkdir('/docs')],
    ['EEXIST', (fs: OverlayFileSystem) => fs.mkdir('/docs/a.txt', { recursive: true })],
    ['EACCES', (fs: OverlayFileSystem) => fs.rm('/', { recursive: true })],
    ['EACCES', (fs: OverlayFileSystem) => fs.rename('/', '/x')],
    ['EISDIR', (fs: OverlayFileSystem) => fs.writeFile('/', bytes(''))],
    ['EINVAL', (fs: OverlayFileSystem) => fs.rename('/docs', '/docs/deep/x')],
  ])('refuses with %s and changes nothing (%#)', (expected, act) => {
    const fs = system();
    expect(() => act(fs)).toThrow(code(expected));
    expect(fs.readdir('/docs').map(({ name }) => name)).toEqual(['a.txt', 'deep', 'empty']);
    expect(fs.readdir('/').map(({ name }) => name)).toEqual(['docs', 'out']);
  });
});

describe('limits', () => {
  test.each<[string, string, Partial<FileLimits>, (fs: OverlayFileSystem) => void]>([
    ['EFBIG', 'files', { fileBytes: 3 }, (fs) => fs.writeFile('/x', bytes('1234'))],
    ['EFBIG', 'files', { fileBytes: 6 }, (fs) => fs.appendFile('/docs/a.txt', bytes('12'))],
    ['ENOSPC', 'files', { totalBytes: 3 }, (fs) => fs.writeFile('/x', bytes('1234'))],
    ['ENOSPC', 'files', { totalBytes: 5 }, (fs) => fs.appendFile('/docs/a.txt', bytes('1'))],
    ['ENOSPC', 'files', { files: 0 }, (fs) => fs.writeFile('/x', bytes(''))],
    ['ENOSPC', 'files', { files: 2 }, (fs) => fs.mkdir('/x/y/z', { recursive: true })],
    ['ENOSPC', 'output', { outputBytes: 3 }, (fs) => fs.writeFile('/out/x', bytes('1234'))],
    ['ENOSPC', 'output', { outputBytes: 3 }, (fs) => fs.rename('/docs/a.txt', '/out/a')],
    [
      'ENOSPC',
      'output',
      { outputBytes: 5 },
      (fs) => {
        fs.rm('/out', { recursive: true });
        fs.rename('/docs', '/out');
      },
    ],
    ['EMSGSIZE', 'message', { messageBytes: 3 }, (fs) => fs.writeFile('/x', bytes('1234'))],
    ['EMSGSIZE', 'message', { messageBytes: 3 }, (fs) => fs.readFile('/docs/a.txt')],
  ])('refuses with %s what is over the bound of %s (%#)', (expected, bound, given, act) => {
    const fs = system(given);
    expect(() => act(fs)).toThrow(expect.objectContaining({ code: expected, bound }));
  });

  test('are given back by what is removed, replaced or moved away', () => {
    const fs = system({ files: 2, totalBytes: 4, outputBytes: 4 });
    for (let turn = 0; turn < 3; turn += 1) {
      fs.mkdir('/out/d');
      fs.writeFile('/out/d/x', bytes('1234'));
      fs.writeFile('/out/d/x', bytes('4321'));
      fs.rename('/out/d', '/d');
      fs.rename('/d/x', '/out/y');
      fs.rm('/out/y');
      fs.rm('/d', { recursive: true });
    }
    fs.writeFile('/out/x', bytes('1234'));
    expect(() => fs.appendFile('/out/x', bytes('5'))).toThrow(code('ENOSPC'));
  });

  test('hold for whatever is done in whatever order', () => {
    const name = fc.constantFrom('/a', '/b', '/out/a', '/out/b', '/docs/a.txt', '/a/c', '/out');
    const step = fc.oneof(
      fc.record({ do: fc.constant('write'), path: name, size: fc.nat(40) }),
      fc.record({ do: fc.constant('append'), path: name, size: fc.nat(40) }),
      fc.record({ do: fc.constant('mkdir'), path: name }),
      fc.record({ do: fc.constant('rm'), path: name }),
      fc.record({ do: fc.constant('rename'), path: name, to: name }),
    );
    const own = { files: 4, fileBytes: 60, totalBytes: 100, outputBytes: 50 };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const fs = system(own);
        for (const taken of steps) {
          try {
            if (taken.do === 'write')
              fs.writeFile(taken.path, Buffer.alloc('size' in taken ? taken.size : 0));
            if (taken.do === 'append')
              fs.appendFile(taken.path, Buffer.alloc('size' in taken ? taken.size : 0));
            if (taken.do === 'mkdir') fs.mkdir(taken.path, { recursive: true });
            if (taken.do === 'rm') fs.rm(taken.path, { recursive: true, force: true });
            if (taken.do === 'rename' && 'to' in taken) fs.rename(taken.path, taken.to);
          } catch (error) {
            expect(error).toHaveProperty('name', 'FileError');
          }
          const outputs = fs.outputs().reduce((sum, file) => sum + file.bytes.length, 0);
          expect(outputs).toBeLessThanOrEqual(own.outputBytes);
        }
        // What is left is exactly what the limits were before, once all is removed.
        for (const { name: left } of fs.readdir('/')) fs.rm(`/${left}`, { recursive: true });
        fs.mkdir('/out', { recursive: true });
        const left = own.files - 1;
        for (let index = 0; index < left; index += 1) fs.writeFile(`/out/${index}`, bytes(''));
        expect(() => fs.writeFile('/more', bytes(''))).toThrow(code('ENOSPC'));
        fs.writeFile('/out/0', Buffer.alloc(own.outputBytes));
        expect(() => fs.appendFile('/out/1', bytes('x'))).toThrow(code('ENOSPC'));
        fs.rm('/out/2');
        fs.writeFile('/f', Buffer.alloc(own.totalBytes - own.outputBytes));
        expect(() => fs.appendFile('/f', bytes('x'))).toThrow(code('ENOSPC'));
      }),
      { numRuns: 300 },
    );
  });
});

test('what leaves is what lies under /out', () => {
  const fs = system();
  fs.writeFile('/x', bytes('stays'));
  fs.mkdir('/out/sub');
  fs.writeFile('/out/sub/b', bytes('2'));
  fs.writeFile('/out/a', bytes('1'));
  expect(fs.outputs().map(({ path }) => path.join('/'))).toEqual(['a', 'sub/b']);
  fs.rm('/out', { recursive: true });
  fs.writeFile('/out', bytes('a file'));
  expect(fs.outputs()).toEqual([]);
});

test('nothing is mounted twice, on a file, or where outputs lie', () => {
  const mounted = (at: string, ...files: string[]) =>
    new OverlayFileSystem({
      mounts: [{ at, files: new Map(files.map((name) => [name, bytes('')])) }],
      limits: standard,
    });
  expect(() => mounted('/docs', 'a', './a')).toThrow(code('EEXIST'));
  expect(() => mounted('/docs', 'a', 'a/b')).toThrow(code('EEXIST'));
  expect(() => mounted('/docs', '.')).toThrow(code('EEXIST'));
  expect(() => mounted('/out', 'a')).toThrow(code('EINVAL'));
  expect(() => mounted('/', 'out/a')).toThrow(code('EINVAL'));
  expect(mounted('/docs', '../../x').stat('/docs/x').type).toBe('file');
});

test('no path of thousands reaches anything but the tree', () => {
  const strings = traversalStrings();
  expect(strings.length).toBeGreaterThan(5_000);
  const fs = system({ files: bounds.sandboxFilesMax });
  const allowed = /^(ENOENT|EINVAL|ENOTDIR|EISDIR|ENAMETOOLONG|EACCES)$/;
  let read = 0;
  for (const path of strings) {
    try {
      // The only files of this tree are the mounted ones.
      expect(['first', 'second']).toContain(fs.readFile(path).toString());
      read += 1;
    } catch (error) {
      expect(error).toHaveProperty('code', expect.stringMatching(allowed));
    }
  }
  expect(read).toBe(0);
});
