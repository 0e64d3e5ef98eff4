import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, decodeGuarded, encode } from '../../src/bus/codec.ts';
import { tags } from '../../src/bus/value-descriptor.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';

function circle(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

function head(tag: number, length: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = tag;
  bytes.writeUInt32LE(length, 1);
  return bytes;
}

/** A record of the given keys without its values; every one claims the same hash. */
function shape(keys: string, count: number): Buffer {
  const bytes = Buffer.alloc(8 + Math.ceil(keys.length / 4) * 4);
  bytes[0] = tags.record;
  bytes[1] = count;
  bytes.writeUInt16LE(bytes.length - 8, 2);
  bytes.write(keys, 8, 'latin1');
  return bytes;
}

describe('the codec', () => {
  it('brings back any plain JSON value', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        const value: unknown = JSON.parse(text);
        expect(decode(encode(value))).toEqual(value);
        expect(decodeGuarded(encode(value))).toEqual(value);
      }),
    );
  });

  it('brings back any value whose objects come again and again', () => {
    const values = fc.array(
      fc.record({
        kind: fc.constantFrom('a', 'step'),
        text: fc.string({ unit: 'binary' }),
        n: fc.double(),
      }),
      { minLength: 20, maxLength: 60 },
    );
    fc.assert(
      fc.property(values, (items) => {
        expect(items.map((item) => decode(encode(item)))).toEqual(items);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['undefined', undefined],
    ['a field that is undefined', { a: undefined }],
    ['big integers', [2n ** 63n - 1n, 5n]],
    ['whole numbers beyond 32 bits', [2 ** 40, -(2 ** 40), Number.MAX_SAFE_INTEGER]],
    ['fractions', [0.1, 1e300, -1e-300, Number.NaN, Number.NEGATIVE_INFINITY]],
    ['negative zero', [-0, 0]],
    ['a typed array', new Float32Array([1.5, -2])],
    ['a typed array of big integers', new BigInt64Array([-5n, 2n ** 40n])],
    ['half of a surrogate pair', `x${String.fromCharCode(0xd83d)}y`],
    ['an object without a prototype, as a plain one', { a: 1 }],
    ['keys that are no names', { '1': 'a', 'two words': 'b', '': 'c', ключ: 'd' }],
    ['very many keys', Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, i]))],
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

  it.each([
    ['a function', () => 1],
    ['a symbol in an array', [Symbol('s')]],
    ['a map', new Map([[1, 2]])],
    ['an instance of a class', new URL('http://localhost/')],
    ['a circle', circle()],
    ['nesting beyond the bound', nested(limits.valueDepthMax + 1)],
  ])('refuses %s and encodes the next value all the same', (_name, value) => {
    expect(() => encode(value)).toThrowError(
      expect.objectContaining({ code: 'BUS_BODY_UNSUPPORTED' }),
    );
    expect(decode(encode({ fine: 1 }))).toEqual({ fine: 1 });
  });

  it('nests as deep as its bound', () => {
    const value = nested(limits.valueDepthMax);
    expect(decode(encode(value))).toEqual(value);
  });

  it('sets no prototype from the wire', () => {
    const decoded = decode(encode(JSON.parse('{"__proto__":{"polluted":true}}')));
    expect((decoded as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
  });

  it('keeps a key called __proto__ as a key', () => {
    const value: unknown = JSON.parse('{"__proto__":{"a":1},"b":2}');
    const decoded = decode(encode(value)) as object;
    expect(Object.keys(decoded)).toEqual(['__proto__', 'b']);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a cut value', Buffer.from(encode({ text: 'long enough to cut' }).subarray(0, 9))],
    ['two values', Buffer.concat([Buffer.from(encode(1)), Buffer.from(encode(2))])],
    ['an unknown tag', Buffer.from([17])],
    ['an array that claims four billion elements', head(tags.array, 2 ** 32 - 1)],
    ['a map that claims four billion entries', head(tags.map, 2 ** 32 - 1)],
    ['a map whose key is a number', Buffer.concat([head(tags.map, 1), Buffer.from([0x81, 0x81])])],
    ['text longer than its bytes', head(tags.ascii, 0x7fff_ffff)],
    ['bytes longer than they are', head(tags.bytes, 0x7fff_ffff)],
    ['elements of an unknown type', Buffer.from([tags.elements, 99, 0, 0, 0, 0])],
    ['a part of an element', Buffer.from([tags.elements, 4, 3, 0, 0, 0, 1, 2, 3])],
    ['a big integer that is no number', Buffer.from([tags.bigInteger, 0, 1, 0, 0, 0, 0x7a])],
    [
      'a hundred thousand nested arrays',
      Buffer.concat(new Array(100_000).fill(head(tags.array, 1))),
    ],
    ['a shape with a key twice', shape('\x01a\x01a', 2)],
    ['a shape with __proto__', shape('\x09__proto__\0\0', 1)],
    ['a shape with code for a key', shape('\x07a:x(),b', 1)],
    ['a shape with a key beyond its bytes', shape('\x09abc', 1)],
    ['a shape with bytes behind its keys', shape('\x01axx', 1)],
  ])('calls %s a corrupt frame', (_name, bytes) => {
    for (const read of [decode, decodeGuarded]) {
      expect(() => read(bytes)).toThrowError(
        expect.objectContaining({ code: 'BUS_FRAME_CORRUPT' }),
      );
    }
  });

  it('does not take one shape for another that has its hash', () => {
    for (let round = 0; round < 40; round += 1) {
      expect(decode(Buffer.concat([shape('\x01a\x01b', 2), Buffer.from([0x81, 0x82])]))).toEqual({
        a: 1,
        b: 2,
      });
      expect(decode(Buffer.concat([shape('\x01c\x01d', 2), Buffer.from([0x81, 0x82])]))).toEqual({
        c: 1,
        d: 2,
      });
    }
  });

  it('does not take one text for another with the same sample', () => {
    const texts = ['aaaa1111bbbb2222cccc', 'aaaa1111bbXb2222cccc', 'aaaaX111bbbb2222cccc'];
    for (let round = 0; round < 10; round += 1) {
      for (const text of texts) expect(decode(encode(text))).toBe(text);
    }
    const long = 'long text '.repeat(400);
    const other = `${long.slice(0, 777)}#${long.slice(778)}`;
    for (let round = 0; round < 10; round += 1) {
      expect(decode(encode(long)) === long).toBe(true);
      expect(decode(encode(other)) === other).toBe(true);
    }
  });

  it('works on after a corrupt message', () => {
    expect(() => decode(head(tags.array, 500))).toThrowError(RuntimeError);
    expect(decode(encode({ fine: [1, 2] }))).toEqual({ fine: [1, 2] });
  });
});
