import zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32 } from '../../src/journal/crc32.ts';

describe('crc32', () => {
  test('matches the check value', () => {
    expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
  });

  test('is what zlib computes, by the table and by native code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_100, size: 'max' }), fc.nat(16), (bytes, skip) => {
        const start = Math.min(skip, bytes.length);
        expect(crc32(bytes, start)).toBe(zlib.crc32(bytes.subarray(start)));
      }),
    );
  });

  test.each([17, 600])('goes on after %i bytes from their checksum', (length) => {
    const bytes = Buffer.from('the quick brown fox jumps over the lazy dog '.repeat(30));
    expect(crc32(bytes, length, bytes.length, crc32(bytes, 0, length))).toBe(crc32(bytes));
  });
});
