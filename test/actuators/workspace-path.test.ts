/**
 * Goal: no text and no link leads out of a workspace. Method: thousands of
 * generated paths against a real folder that holds links of every kind; what
 * is located must be a real path inside.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { locate, pathComponents } from '../../src/actuators/workspace-path.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'claw-path-')));
const workspace = join(base, 'workspace');

beforeAll(() => {
  mkdirSync(join(workspace, 'inner', 'deep'), { recursive: true });
  mkdirSync(join(base, 'workspace-beside'));
  writeFileSync(join(base, 'secret.txt'), 'secret');
  writeFileSync(join(base, 'workspace-beside', 'secret.txt'), 'secret');
  writeFileSync(join(workspace, 'inner', 'a.txt'), 'a');
  symlinkSync('/', join(workspace, 'root'));
  symlinkSync('..', join(workspace, 'up'));
  symlinkSync('../workspace-beside', join(workspace, 'beside'));
  symlinkSync('../secret.txt', join(workspace, 'secret'));
  symlinkSync('nowhere', join(workspace, 'dangling'));
  symlinkSync('loop', join(workspace, 'loop'));
  symlinkSync('inner', join(workspace, 'alias'));
  symlinkSync('../../..', join(workspace, 'inner', 'deep', 'out'));
});
afterAll(() => rmSync(base, { recursive: true }));

const part = fc.oneof(
  fc.constantFrom(
    '..',
    '.',
    '',
    'inner',
    'deep',
    'a.txt',
    'root',
    'up',
    'beside',
    'secret',
    'secret.txt',
  ),
  fc.constantFrom(
    'dangling',
    'loop',
    'alias',
    'out',
    'etc',
    'passwd',
    '...',
    '.. ',
    '..\0',
    '%2e%2e',
    '..;',
    '~',
  ),
  fc.constantFrom('\u2025', '\uff0e\uff0e', '..\\', 'C:', 'file:', '\ud800', '-', ' ', '\n'),
  fc.string({ maxLength: 6 }),
);
const path = fc
  .tuple(
    fc.constantFrom('', '/', '//', './', '../', '\\\\', 'C:/'),
    fc.array(part, { maxLength: 8 }),
  )
  .map(([start, parts]) => start + parts.join('/'));

test('what the text lets through stays inside when it is joined', () => {
  fc.assert(
    fc.property(path, (text) => {
      let components: string[];
      try {
        components = pathComponents(text);
      } catch (error) {
        expect(error).toHaveProperty('code', 'FILE_OUTSIDE_WORKSPACE');
        return;
      }
      const joined = resolve(workspace, ...components);
      expect(joined === workspace || joined.startsWith(workspace + sep)).toBe(true);
    }),
    { numRuns: 20_000 },
  );
});

test('what is located is a real path inside', async () => {
  let locatedSome = 0;
  await fc.assert(
    fc.asyncProperty(path, async (text) => {
      try {
        const { root, existing, missing } = await locate(workspace, text);
        expect(root).toBe(workspace);
        expect(existing === workspace || existing.startsWith(workspace + sep)).toBe(true);
        expect(realpathSync(existing)).toBe(existing);
        expect(missing.includes('..')).toBe(false);
        locatedSome += 1;
      } catch (error) {
        if (error instanceof RuntimeError) expect(error.code).toBe('FILE_OUTSIDE_WORKSPACE');
        else
          expect(error).toHaveProperty('code', expect.stringMatching(/^(ENOTDIR|ENAMETOOLONG)$/));
      }
    }),
    { numRuns: 3_000 },
  );
  expect(locatedSome).toBeGreaterThan(100);
});

test.each([
  'root/etc/passwd',
  'up/secret.txt',
  'beside/secret.txt',
  'secret',
  'dangling',
  'loop',
  'inner/deep/out',
  'alias/deep/out',
  'dangling/new.txt',
])('refuses the link %s', async (text) => {
  await expect(locate(workspace, text)).rejects.toMatchObject({ code: 'FILE_OUTSIDE_WORKSPACE' });
});

test.each([
  '',
  '/',
  '/etc/passwd',
  '../secret.txt',
  'inner/../../secret.txt',
  'a\0b',
  'inner\\a.txt',
  'c:x',
  'x'.repeat(limits.workspacePathCharactersMax + 1),
])('refuses the text %j', (text) => {
  expect(() => pathComponents(text)).toThrow(RuntimeError);
});

test('follows a link that stays inside to the real place', async () => {
  expect(await locate(workspace, 'alias/a.txt')).toEqual({
    root: workspace,
    existing: join(workspace, 'inner', 'a.txt'),
    missing: [],
  });
});

test('tells what does not exist yet', async () => {
  expect(await locate(workspace, './inner//new/x.txt')).toEqual({
    root: workspace,
    existing: join(workspace, 'inner'),
    missing: ['new', 'x.txt'],
  });
});
