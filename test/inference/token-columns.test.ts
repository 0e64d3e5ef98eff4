import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTokenColumns, encodeTokenColumns } from '../../src/inference/token-columns.ts';

const probability = fc.option(fc.float({ min: 0, max: 1, noNaN: true }));
const token = fc.record({
  text: fc.string({ maxLength: 12, unit: 'grapheme' }),
  confidence: probability,
  forced: fc.boolean(),
  entropy: fc.option(fc.float({ min: 0, max: 12, noNaN: true })),
  margin: probability,
});
const untold = token.map((each) => ({ ...each, entropy: null, margin: null }));

describe('token columns', () => {
  it('give back every token', () => {
    const answers = fc.oneof(
      fc.array(token, { maxLength: 60 }),
      fc.array(untold, { maxLength: 60 }),
    );
    fc.assert(
      fc.property(answers, (tokens) => {
        const text = tokens.map((each) => each.text).join('');
        expect(decodeTokenColumns(encodeTokenColumns(tokens), text)).toEqual(tokens);
      }),
    );
  });

  it.each([
    ['nine bytes for a token, however long it is', null, 904],
    ['seventeen where its entropy is known', 0.25, 1_704],
  ])('take %s', (_, entropy, bytes) => {
    const tokens = Array.from({ length: 100 }, () => ({
      text: 'w'.repeat(100_000),
      confidence: 0.5,
      forced: false,
      entropy,
      margin: null,
    }));
    expect(Buffer.from(encodeTokenColumns(tokens), 'base64')).toHaveLength(bytes);
  });

  it('that tell no entropy are read as they were written first', () => {
    const bytes = Buffer.alloc(4 + 9);
    bytes.writeUInt32LE(1, 0);
    bytes.writeFloatLE(0.5, 4);
    bytes.writeUInt32LE(2, 8);
    expect(decodeTokenColumns(bytes.toString('base64'), 'ok')).toEqual([
      { text: 'ok', confidence: 0.5, forced: false, entropy: null, margin: null },
    ]);
  });
});
