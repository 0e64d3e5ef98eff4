import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTokenColumns, encodeTokenColumns } from '../../src/inference/token-columns.ts';

const token = fc.record({
  text: fc.string({ maxLength: 12, unit: 'grapheme' }),
  confidence: fc.option(fc.float({ min: 0, max: 1, noNaN: true })),
  forced: fc.boolean(),
});

describe('token columns', () => {
  it('give back every token', () => {
    fc.assert(
      fc.property(fc.array(token, { maxLength: 60 }), (tokens) => {
        const text = tokens.map((each) => each.text).join('');
        const decoded = decodeTokenColumns(encodeTokenColumns(tokens), text);
        expect(decoded.map((each) => ({ ...each, confidence: each.confidence ?? null }))).toEqual(
          tokens.map((each) => ({
            ...each,
            confidence: each.confidence === null ? null : Math.fround(Math.abs(each.confidence)),
          })),
        );
      }),
    );
  });

  it('take nine bytes for a token, however long it is', () => {
    const tokens = Array.from({ length: 100 }, () => ({
      text: 'w'.repeat(100_000),
      confidence: 0.5,
      forced: false,
    }));
    expect(Buffer.from(encodeTokenColumns(tokens), 'base64')).toHaveLength(904);
  });
});
