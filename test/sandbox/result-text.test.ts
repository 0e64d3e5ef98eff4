import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { parseResultText } from '../../src/sandbox/result-text.ts';

test('gives back every JSON value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value); // Writes -0 as 0, as the isolate does.
      expect(parseResultText(text)).toEqual({ value: JSON.parse(text) });
    }),
  );
});

test('never throws, whatever the text', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('[', ']', '{', '"', '\\', ':', '1', '-') }),
      (text) => {
        const result = parseResultText(text);
        expect('value' in result || 'problem' in result).toBe(true);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('refuses what is nested too deep, also with brackets in strings', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}"]]]]\\"]]"${']'.repeat(depth)}`;
  expect(parseResultText(nested(limits.sandboxResultDepthMax))).toHaveProperty('value');
  expect(parseResultText(nested(limits.sandboxResultDepthMax + 1))).toHaveProperty('problem');
  expect(parseResultText('['.repeat(200_000))).toHaveProperty('problem');
});

test('counts the size in bytes, not in characters', () => {
  const characters = limits.sandboxResultBytesMax / 2;
  expect(parseResultText(JSON.stringify('x'.repeat(characters)))).toHaveProperty('value');
  expect(parseResultText(JSON.stringify('€'.repeat(characters)))).toHaveProperty('problem');
});

test('refuses numbers that the journal would change', () => {
  expect(parseResultText('[1, -0]')).toEqual({ problem: '$[1] has no JSON form' });
  expect(parseResultText('{"a":1e999}')).toEqual({ problem: '$.a has no JSON form' });
});
