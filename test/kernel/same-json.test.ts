import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from '../../src/kernel/hash.ts';
import { sameJson } from '../../src/kernel/same-json.ts';

/** Few names and values, so that two values are often alike. */
const { value: alike } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, 0, -0, 1, '', 'a', undefined),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'constructor'), tie('value'), {
      noNullPrototype: true,
    }),
  ),
}));

test('values that are the same have the same text', () => {
  let same = 0;
  fc.assert(
    fc.property(alike, alike, (left, right) => {
      if (!sameJson(left, right)) return;
      same += 1;
      expect(canonicalJson([left])).toBe(canonicalJson([right]));
    }),
    { numRuns: 20_000 },
  );
  expect(same).toBeGreaterThan(500);
});

test('any JSON is the same as its copy, whatever the order of its keys', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      expect(sameJson(value, JSON.parse(JSON.stringify(value)))).toBe(true);
      expect(sameJson(value, JSON.parse(canonicalJson(value)))).toBe(true);
    }),
  );
});

test.each([
  [{ a: 1 }, { a: 2 }],
  [{ a: 1 }, { b: 1 }],
  [{ a: 1 }, { a: 1, b: 1 }],
  [
    [1, 2],
    [2, 1],
  ],
  [[1], [1, 2]],
  [[], {}],
  [{}, null],
  ['1', 1],
  [{ a: [{ b: 'x' }] }, { a: [{ b: 'y' }] }],
  [new Date(0), {}],
  [{ constructor: Object }, { toString: Object }],
])('%o is not %o', (left, right) => {
  expect(sameJson(left, right)).toBe(false);
  expect(sameJson(right, left)).toBe(false);
});
