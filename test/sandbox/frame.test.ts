import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AssertionError } from '../../src/kernel/assert.ts';
import { encodeFrame, FrameReader } from '../../src/sandbox/frame.ts';

test('gives back every message however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { maxLength: 8 }),
      fc.array(fc.nat({ max: 40 }), { maxLength: 30 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map((message) => encodeFrame(message, 1 << 20)));
        const reader = new FrameReader(1 << 20);
        const received: unknown[] = [];
        let offset = 0;
        for (const cut of [...cuts, stream.length]) {
          received.push(...(reader.push(stream.subarray(offset, offset + cut)) ?? ['damaged']));
          offset = Math.min(stream.length, offset + cut);
        }
        expect(received).toEqual(JSON.parse(JSON.stringify(messages)));
      },
    ),
  );
});

test('refuses a frame above the bound at its length, before its body, and for good', () => {
  const reader = new FrameReader(100);
  const header = Buffer.alloc(4);
  header.writeUInt32LE(101);
  expect(reader.push(header)).toBeNull();
  expect(reader.push(encodeFrame('fine', 100))).toBeNull();
});

test('refuses a body that is not JSON', () => {
  const frame = encodeFrame('ab', 100);
  frame[4] = 0x7b;
  expect(new FrameReader(100).push(frame)).toBeNull();
});

test('does not encode what the other side would refuse', () => {
  expect(() => encodeFrame('x'.repeat(100), 50)).toThrow(AssertionError);
});
