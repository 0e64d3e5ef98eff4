import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AppendRecord,
  decodeRecord,
  digestHolds,
  encodedBytes,
  encodeRecord,
  headerPlausible,
  recordCrc,
  recordDigest,
} from '../../src/journal/record.ts';
import { alignRecord, recordDescriptor } from '../../src/journal/record-descriptor.ts';
import { sha256Bytes } from '../../src/kernel/hash.ts';
import { actorId, runIdFromBytes } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { EventChain, thrownBy } from './journal-fixture.ts';

const actor = fc.stringMatching(/^[a-z0-9_-]{1,20}(\/[a-z0-9_.-]{1,20}){0,3}$/).map(actorId);
const safe = fc.maxSafeNat();
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const record: fc.Arbitrary<AppendRecord> = fc.record({
  type: fc.constantFrom('event', 'snapshot', 'run-started', 'run-ended', 'mark'),
  run: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }).map(runIdFromBytes)),
  actor: fc.option(actor),
  actorSequence: safe,
  epoch: uint32,
  cause: fc.option(fc.record({ actor, sequence: safe, index: uint32 })),
  timeMs: safe,
  previousDigest: fc.option(
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
  ),
  body: fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
});

describe('a record', () => {
  test('comes back as it was written, wherever it lies', () => {
    fc.assert(
      fc.property(record, fc.nat(8), (written, slot) => {
        const offset = slot * 8;
        const bytes = Buffer.alloc(offset + encodedBytes(written), 0xee);
        expect(encodeRecord(written, bytes, offset)).toBe(bytes.length);
        expect(headerPlausible(bytes, offset)).toBe(true);
        expect(digestHolds(bytes, offset)).toBe(true);
        const { position, sequence, digest, ...read } = decodeRecord(bytes, offset, {
          segment: 3,
          offset: 128,
        });
        expect(read).toEqual(written);
        expect(position).toEqual({ segment: 3, offset: 128 });
        expect(sequence).toBe(0);
        expect(digest).toEqual(recordDigest(written));
        const { digestedOffset, lengthOffset } = recordDescriptor;
        const end = offset + bytes.readUInt32LE(offset + lengthOffset);
        expect(digest).toEqual(sha256Bytes(bytes.subarray(offset + digestedOffset, end)));
      }),
    );
  });

  test('has a digest that tells any two records apart and ignores the place', () => {
    const base = new EventChain().next('{"a":1}');
    const variants: AppendRecord[] = [
      { ...base, type: 'snapshot' },
      { ...base, run: null },
      { ...base, actor: actorId('run/b') },
      { ...base, actorSequence: 2 },
      { ...base, epoch: 2 },
      { ...base, cause: null },
      { ...base, timeMs: base.timeMs + 1 },
      { ...base, previousDigest: Buffer.alloc(32) },
      { ...base, body: Buffer.from('{"a":2}') },
    ];
    const digests = [base, ...variants].map((each) => recordDigest(each).toString('hex'));
    expect(new Set(digests).size).toBe(digests.length);
    const bytes = Buffer.alloc(encodedBytes(base) + 64);
    encodeRecord(base, bytes, 64);
    bytes.fill(0xff, 64 + recordDescriptor.sequenceOffset, 64 + recordDescriptor.digestOffset);
    expect(digestHolds(bytes, 64)).toBe(true);
  });

  test.each([
    ['a short record', 2, 7],
    ['a short record', 3, 7],
    ['a long record', 3, 700],
  ])(
    '%s of version %i has a CRC over its length, its place and every byte up to its end',
    (_, version, size) => {
      const source = new EventChain().next('x'.repeat(size));
      const bytes = Buffer.alloc(encodedBytes(source));
      encodeRecord(source, bytes, 0);
      const header = { version, seed: 7 };
      const crc = recordCrc(bytes, 0, 4_096, header);
      expect(recordCrc(bytes, 0, 4_104, header)).not.toBe(crc);
      expect(recordCrc(bytes, 0, 4_096, { version, seed: 8 })).not.toBe(crc);
      const length = bytes.readUInt32LE(0);
      for (const index of bytes.keys()) {
        if (index >= recordDescriptor.crcOffset && index < recordDescriptor.sequenceOffset)
          continue;
        bytes[index] = (bytes[index] ?? 0) ^ 1;
        if (alignRecord(bytes.readUInt32LE(0)) === alignRecord(length)) {
          expect(recordCrc(bytes, 0, 4_096, header)).not.toBe(crc);
        }
        bytes[index] = (bytes[index] ?? 0) ^ 1;
      }
    },
  );

  test('is refused above its limit', () => {
    const huge = { ...new EventChain().next(), body: Buffer.alloc(limits.recordBytesMax) };
    expect(thrownBy(() => recordDigest(huge)).code).toBe('JOURNAL_RECORD_TOO_LARGE');
  });
});
