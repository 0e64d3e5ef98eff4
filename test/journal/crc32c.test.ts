import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../src/journal/crc32c.ts';

/** One bit a turn, straight from the definition. */
function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe('crc32c', () => {
  test('matches the check value and the vectors of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index)))).toBe(0x46dd794e);
  });

  test('matches the bitwise definition at every length and alignment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(16), (bytes, skip) => {
        const start = Math.min(skip, bytes.length);
        expect(crc32c(bytes, start)).toBe(bitwise(bytes.subarray(start)));
      }),
    );
  });

  test('goes on from a previous checksum', () => {
    const bytes = Buffer.from('the quick brown fox jumps over the lazy dog');
    expect(crc32c(bytes, 17, bytes.length, crc32c(bytes, 0, 17))).toBe(crc32c(bytes));
  });
});
