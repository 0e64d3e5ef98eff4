import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, encode } from '../../src/bus/codec.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';

describe('the codec', () => {
  it('brings back any plain JSON value', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        const value: unknown = JSON.parse(
          text.replaceAll('__proto__', 'proto').replaceAll('-0', '0'),
        );
        expect(decode(encode(value))).toEqual(value);
      }),
    );
  });

  it.each([
    ['undefined', undefined],
    ['a field that is undefined', { a: undefined }],
    ['big integers', [2n ** 63n - 1n, 5n]],
    ['whole numbers beyond 32 bits', [2 ** 40, -(2 ** 40), Number.MAX_SAFE_INTEGER]],
    ['fractions', [0.1, 1e300, -1e-300, Number.NaN, Number.NEGATIVE_INFINITY]],
    ['a typed array', new Float32Array([1.5, -2])],
    ['a date', new Date(1_234)],
    ['long text with every width of character', 'aé漢😀'.repeat(500)],
  ])('brings back %s', (_name, value) => {
    expect(decode(encode(value))).toEqual(value);
  });

  it('brings back bytes inside an object', () => {
    const decoded = decode(encode({ bytes: Buffer.from([1, 2, 255]) }));
    expect(Buffer.from((decoded as { bytes: Uint8Array }).bytes)).toEqual(Buffer.from([1, 2, 255]));
  });

  it('decodes a range of a larger buffer', () => {
    const inner = encode({ ok: true });
    const outer = Buffer.concat([Buffer.alloc(7, 0xff), inner, Buffer.alloc(9, 0xff)]);
    expect(decode(outer, 7, 7 + inner.length)).toEqual({ ok: true });
  });

  it('shares no memory with the bytes it decoded, even of a ring', () => {
    const shared = Buffer.from(new SharedArrayBuffer(4_096));
    const encoded = encode({
      text: 'stays',
      bytes: Buffer.alloc(300, 7),
      numbers: new Uint32Array(9),
    });
    encoded.copy(shared);
    const decoded = decode(shared, 0, encoded.length) as Record<string, Uint8Array | string>;
    shared.fill(0xee);
    expect(decoded.text).toBe('stays');
    expect(Buffer.from(decoded.bytes as Uint8Array)).toEqual(Buffer.alloc(300, 7));
    expect(decoded.numbers).toEqual(new Uint32Array(9));
  });

  it('never writes again to bytes it encoded', () => {
    const first = encode({ text: 'first' });
    const copy = Buffer.from(first);
    for (let round = 0; round < 2_000; round += 1) encode({ text: `later ${round}`.repeat(10) });
    expect(first).toEqual(copy);
  });

  it('sets no prototype from the wire', () => {
    const decoded = decode(encode(JSON.parse('{"__proto__":{"polluted":true}}')));
    expect((decoded as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a cut value', encode({ text: 'long enough to cut' }).subarray(0, 9)],
    ['two values', Buffer.concat([encode(1), encode(2)])],
    ['an array that claims four billion elements', Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])],
    ['a map that claims four billion entries', Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff])],
    ['text longer than its bytes', Buffer.from([0xdb, 0x7f, 0xff, 0xff, 0xff, 0x61])],
    ['bytes longer than they are', Buffer.from([0xc6, 0x7f, 0xff, 0xff, 0xff, 0x61])],
    ['a hundred thousand nested arrays', Buffer.alloc(100_000, 0x91)],
    ['an unknown extension', Buffer.from([0xd4, 0x55, 0])],
    ['a reference between values', Buffer.from([0xd6, 0x70, 0, 0, 0, 1])],
  ])('calls %s a corrupt frame', (_name, bytes) => {
    expect(() => decode(bytes)).toThrowError(
      expect.objectContaining({ code: 'BUS_FRAME_CORRUPT' }),
    );
  });

  it('works on after a corrupt message', () => {
    expect(() => decode(Buffer.alloc(1_000, 0x91))).toThrowError(RuntimeError);
    expect(decode(encode({ fine: [1, 2] }))).toEqual({ fine: [1, 2] });
  });
});
