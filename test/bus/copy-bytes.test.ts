import { expect, test } from 'vitest';
import { copyBytes } from '../../src/bus/copy-bytes.ts';

const lengths = [0, 1, 7, 8, 63, 64, 65, 1_535, 1_536, 1_537, 5_000];
const alignments = [0, 1, 4, 7];

function numbered(lengthBytes: number): Buffer {
  return Buffer.from(Array.from({ length: lengthBytes }, (_, index) => index % 251));
}

test('copies exactly the given bytes, however long and however aligned', () => {
  const source = numbered(6_000);
  for (const length of lengths) {
    for (const from of alignments) {
      for (const offset of alignments) {
        const target = Buffer.from(new SharedArrayBuffer(6_000)).fill(255);
        const bytes = source.subarray(from, from + length);
        copyBytes(bytes, target, offset);
        expect(target.subarray(offset, offset + length).equals(bytes)).toBe(true);
        expect(target.subarray(0, offset).every((byte) => byte === 255)).toBe(true);
        expect(target.subarray(offset + length).every((byte) => byte === 255)).toBe(true);
      }
    }
  }
});

test('takes the bytes of a plain typed array too', () => {
  const target = Buffer.from(new SharedArrayBuffer(5_000));
  copyBytes(new Uint8Array(numbered(3_000)), target, 100);
  expect(target.subarray(100, 3_100).equals(numbered(3_000))).toBe(true);
});
