import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesPattern } from '../../src/kernel/name-pattern.ts';

test.each([
  ['hr-*', 'hr-pay.txt', true],
  ['hr-*', 'hr-pay/x.txt', false],
  ['hr/**', 'hr/a/b.txt', true],
  ['hr/**', 'hr/', true],
  ['hr/**', 'hr', false],
  ['**', 'any/thing', true],
  ['*', 'any/thing', false],
  ['*/*', 'any/thing', true],
  ['**/pay.txt', 'hr/2026/pay.txt', true],
  ['a*b*c', 'axxbxxc', true],
  ['a*b*c', 'axxbxx', false],
  ['news.txt', 'news.txt', true],
  ['news.txt', 'newsAtxt', false],
  ['', '', true],
  ['', 'a', false],
])('%j against %j', (pattern, name, matches) => {
  expect(matchesPattern(pattern, name)).toBe(matches);
});

test('agrees with a regular expression that is written from the same rule', () => {
  const piece = fc.constantFrom('a', 'b', '/', '*', '**', '.');
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }),
      fc.stringMatching(/^[ab/.]{0,10}$/),
      (pieces, name) => {
        const pattern = pieces.join('');
        const source = pattern
          .replaceAll('.', '\\.')
          .replaceAll(/\*+/g, (stars) => (stars.length === 1 ? '[^/]*' : '.*'));
        expect(matchesPattern(pattern, name)).toBe(new RegExp(`^${source}$`).test(name));
      },
    ),
  );
});

test('takes no time worth speaking of for the worst pattern', () => {
  // A backtracking matcher would not end.
  expect(matchesPattern(`${'*a'.repeat(99)}b`, 'a'.repeat(4_000))).toBe(false);
});
