import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalText } from '../../src/kernel/canonical-json.ts';

/** What a function gives, or the message that it throws. */
function outcome(of: () => unknown): unknown {
  try {
    return { text: of() };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function expectSame(value: unknown): void {
  expect(outcome(() => canonicalText(value))).toEqual(outcome(() => canonicalize(value)));
}

test('any JSON has the text of the package', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => expectSame(value)),
    {
      numRuns: 2_000,
    },
  );
});

test('so has anything else that may come', () => {
  const anything = fc.anything({
    withDate: true,
    withNullPrototype: true,
    withBoxedValues: true,
    withSparseArray: true,
    withMap: true,
    withTypedArray: true,
    withUnicodeString: true,
  } as fc.ObjectConstraints);
  fc.assert(
    fc.property(anything, (value) => expectSame(value)),
    { numRuns: 5_000 },
  );
});

const cycle: Record<string, unknown> = { a: 1 };
cycle.self = [cycle];
const deep = JSON.parse(`${'[{"a":'.repeat(150)}1${'}]'.repeat(150)}`) as unknown;

test.each([
  ['keys by UTF-16 code units', { '10': 1, '2': 2, b: 3, a: 4, '\u{1f600}': 5, '\ufb33': 6 }],
  ['an empty key', { '': 1 }],
  ['members without JSON form', { a: undefined, b: () => 1, c: Symbol('x'), d: 1 }],
  ['elements without JSON form', [undefined, () => 1, Symbol('x')]],
  ['numbers', [-0, 0.1, 1e21, 1e-7, 123456789012345680000, 5e-324]],
  ['NaN', { a: NaN }],
  ['infinity', [Number.POSITIVE_INFINITY]],
  ['a lone surrogate', ['\ud800']],
  ['a long lone surrogate', [`${'x'.repeat(600)}\udc00`]],
  ['a text too long to keep', 'y"'.repeat(70_000)],
  ['a lone surrogate as key', { '\ud800': 1 }],
  ['a bigint', { a: 1n }],
  ['a date', { a: new Date(0) }],
  ['an object with toJSON', [{ toJSON: () => ({ b: 1, a: 2 }) }]],
  ['an array with toJSON', Object.assign([1], { toJSON: () => 'x' })],
  ['a text named toJSON', { toJSON: 'x' }],
  ['boxed values', [new String('x'), new Number(1), new Boolean(false)]],
  [
    'an object of a class',
    new (class Point {
      y = 1;
      x = 2;
    })(),
  ],
  ['a cycle', cycle],
  ['an object twice', [deep, { a: deep }]],
  ['deep nesting', deep],
  ['nothing', undefined],
])('%s', (_, value) => expectSame(value));

test('long texts are the same at every turn, however many there are', () => {
  const texts = Array.from({ length: 200 }, (_, index) => `"\n\u2028${'x'.repeat(600)}${index}`);
  for (const text of [...texts, ...texts.toReversed(), ...texts.slice(0, 10)]) {
    expectSame({ text, [text]: text });
  }
});

test('objects of one kind have the same text at every turn, however many kinds there are', () => {
  const kinds = Array.from({ length: 6_000 }, (_, index) => ({
    [`z${index}`]: 1,
    [`"a${index}`]: { b: index, a: undefined },
    ...(index % 100 === 0 ? { [`${'k'.repeat(200)}${index}`]: 2 } : {}),
  }));
  const wide = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`w${50 - index}`, 0]));
  for (const kind of [...kinds, wide, ...kinds.slice(0, 50), wide]) expectSame(kind);
});

test('the order of the keys of one object says nothing of another with the same keys', () => {
  expectSame({ b: 1, a: 2, c: 3 });
  expectSame({ a: 1, b: 2, c: 3 });
  expectSame({ a: 1, b: 2 });
  expectSame({ b: 1, a: undefined, c: 3 });
});
