import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { overlayPath, pathText } from '../../src/sandbox/overlay-path.ts';

describe('a path', () => {
  test.each([
    ['/', []],
    ['.', []],
    ['..', []],
    ['/../../..', []],
    ['a', ['a']],
    ['/a/b', ['a', 'b']],
    ['a//b/./c/', ['a', 'b', 'c']],
    ['/a/../b', ['b']],
    ['/a/../../../b', ['b']],
    ['/docs/../../out/x', ['out', 'x']],
    ['file:///etc/passwd', ['file:', 'etc', 'passwd']],
    ['~/x', ['~', 'x']],
  ])('%j is cut into names once, and never leaves the root', (text, names) => {
    expect(overlayPath(text)).toEqual(names);
  });

  test.each(['%2e%2e', '．．', '‥', '..;', '...', '.. ', '\u200b..', '%c0%ae%c0%ae', '..%2f'])(
    '%j is a name as it is written',
    (name) => {
      expect(overlayPath(`/a/${name}/b`)).toEqual(['a', name, 'b']);
    },
  );

  test('composed and decomposed characters are two names', () => {
    expect(overlayPath('/\u00e9')).not.toEqual(overlayPath('/e\u0301'));
  });

  test.each([
    ['', 'EINVAL'],
    [7, 'EINVAL'],
    [null, 'EINVAL'],
    [['a'], 'EINVAL'],
    [{ toString: () => '/a' }, 'EINVAL'],
    ['/a\u0000b', 'EINVAL'],
    ['/a\nb', 'EINVAL'],
    ['\\a', 'EINVAL'],
    ['/a\\..\\b', 'EINVAL'],
    ['\\\\host\\share', 'EINVAL'],
    ['//host/share', 'EINVAL'],
    ['C:', 'EINVAL'],
    ['c:/x', 'EINVAL'],
    ['/C:/x', 'EINVAL'],
    ['/\ud800', 'EINVAL'],
    [`/${'x'.repeat(limits.overlayNameBytesMax + 1)}`, 'ENAMETOOLONG'],
    [`/${'é'.repeat(limits.overlayNameBytesMax / 2 + 1)}`, 'ENAMETOOLONG'],
    ['/a'.repeat(limits.overlayDepthMax + 1), 'ENAMETOOLONG'],
    [`/${'a/'.repeat(limits.overlayPathCharsMax / 2)}`, 'ENAMETOOLONG'],
  ])('%j is refused with %s', (text, code) => {
    expect(() => overlayPath(text)).toThrow(expect.objectContaining({ code }));
  });

  test('at its bounds is taken', () => {
    expect(overlayPath(`/${'x'.repeat(limits.overlayNameBytesMax)}`)).toHaveLength(1);
    expect(overlayPath('/a'.repeat(limits.overlayDepthMax))).toHaveLength(limits.overlayDepthMax);
  });

  test('whatever it is: its names are none of those that lead elsewhere, and its text means the same', () => {
    const part = fc.constantFrom(
      '..',
      '.',
      '/',
      '\\',
      'a',
      '\u0000',
      '%2e',
      '．',
      ' ',
      'é',
      '\n',
      ':',
    );
    const text = fc.array(part, { maxLength: 40 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (path) => {
        let names: readonly string[];
        try {
          names = overlayPath(path);
        } catch (error) {
          expect(error).toHaveProperty('code', expect.stringMatching(/^(EINVAL|ENAMETOOLONG)$/));
          return;
        }
        for (const name of names) {
          expect(['', '.', '..']).not.toContain(name);
          expect(name).not.toMatch(/[/\\\0]/);
        }
        if (!/^[a-z]:/i.test(names[0] ?? '')) expect(overlayPath(pathText(names))).toEqual(names);
      }),
      { numRuns: 2_000 },
    );
  });
});
