import { expect, test } from 'vitest';
import { encodeRecord } from '../../src/journal/record.ts';
import { recordDescriptor } from '../../src/journal/record-descriptor.ts';
import { sealRecord, writeSeal } from '../../src/journal/seal.ts';
import { sha256Bytes } from '../../src/kernel/hash.ts';

test('a seal is what the encoding of its record is, whatever lay in its place', () => {
  const bytes = recordDescriptor.headerBytes;
  const [previous, seal] = [sha256Bytes('before'), sha256Bytes('this one')];
  for (const timeMs of [0, 1, 1_764_270_000_123, Number.MAX_SAFE_INTEGER]) {
    const encoded = Buffer.alloc(bytes);
    encodeRecord(sealRecord(timeMs, previous), encoded, 0, seal);
    const written = Buffer.alloc(bytes + 16, 0xff);
    writeSeal(written, 8, { timeMs, previous, seal });
    expect(written.subarray(8, -8)).toEqual(encoded);
    expect(written.subarray(0, 8)).toEqual(Buffer.alloc(8, 0xff));
    expect(written.subarray(-8)).toEqual(Buffer.alloc(8, 0xff));
  }
});
