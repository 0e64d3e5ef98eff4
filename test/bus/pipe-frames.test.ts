import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ArenaReference } from '../../src/bus/arena-reference.ts';
import { encodeBody, type FrameHeader, frameLength, writeFrame } from '../../src/bus/frame.ts';
import { PipeFrameReader, PipeFrameWriter } from '../../src/bus/pipe-frames.ts';
import { Tensor } from '../../src/bus/tensor.ts';
import { threadId } from '../../src/bus/thread-id.ts';
import { AssertionError } from '../../src/kernel/assert.ts';

const bytesMax = 1 << 20;
const self = threadId(7);

function framed(header: Partial<FrameHeader>, body: unknown): Buffer {
  const encoded = encodeBody(body);
  const bytes = Buffer.alloc(frameLength(encoded));
  const rest = { correlation: 0, cause: null, sentAtUs: null };
  writeFrame(
    { type: 'message', topic: 1, from: self, sequence: 1, ...rest, ...header },
    encoded,
    bytes,
    0,
  );
  return bytes;
}

test('gives back every message however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { maxLength: 8 }),
      fc.array(fc.nat({ max: 90 }), { maxLength: 30 }),
      (messages, cuts) => {
        const writer = new PipeFrameWriter(self, bytesMax);
        const stream = Buffer.concat(messages.map((each, index) => writer.encode(index, each)));
        const reader = new PipeFrameReader(bytesMax);
        const received: unknown[] = [];
        let offset = 0;
        for (const cut of [...cuts, stream.length]) {
          received.push(...(reader.push(stream.subarray(offset, offset + cut)) ?? ['damaged']));
          offset = Math.min(stream.length, offset + cut);
        }
        expect(received).toEqual(
          messages.map((body, topic) => ({
            header: expect.objectContaining({ topic, from: self, sequence: topic + 1 }),
            body,
          })),
        );
      },
    ),
  );
});

test('carries bytes and tensors, in memory of their own', () => {
  const writer = new PipeFrameWriter(self, bytesMax);
  const stream = Buffer.concat([
    writer.encode(1, Buffer.from('raw')),
    writer.encode(1, new Tensor('f32', [2, 2], new Float32Array([1, 2, 3, 4]))),
  ]);
  const frames = new PipeFrameReader(bytesMax).push(stream) ?? [];
  stream.fill(0xff);
  expect(frames[0]?.body).toEqual(Buffer.from('raw'));
  expect(frames[1]?.body).toEqual(new Tensor('f32', [2, 2], new Float32Array([1, 2, 3, 4])));
});

test('refuses a frame above the bound at its header, before its body, and for good', () => {
  const reader = new PipeFrameReader(100);
  const header = framed({}, Buffer.alloc(69)).subarray(0, 32);
  expect(reader.push(header)).toBeNull();
  expect(reader.push(framed({}, 'fine'))).toBeNull();
});

test('takes a frame of exactly the bound', () => {
  expect(new PipeFrameReader(100).push(framed({}, Buffer.alloc(68)))).toHaveLength(1);
});

test.each([
  [
    'bytes that are no frame',
    Buffer.from('{"type":"done"} and some more, so that it is long enough'),
  ],
  ['a repeated frame', Buffer.concat([framed({}, 1), framed({}, 1)])],
  ['a frame that is missing', framed({ sequence: 2 }, 1)],
  ['a reference to an arena', framed({}, reference())],
  ['a damaged body', damaged(framed({}, { a: 1 }), 32)],
  ['a header with unknown flags', damaged(framed({}, 'x'), 3)],
])('ends the stream at %s', (_name, bytes) => {
  const reader = new PipeFrameReader(bytesMax);
  expect(reader.push(bytes)).toBeNull();
  expect(reader.push(framed({}, 'fine'))).toBeNull();
});

test('does not encode what the other side would refuse', () => {
  const writer = new PipeFrameWriter(self, 50);
  expect(() => writer.encode(1, 'x'.repeat(100))).toThrow(AssertionError);
  expect(() => new PipeFrameWriter(self, bytesMax).encode(1, reference())).toThrow(AssertionError);
});

function reference(): ArenaReference {
  const place = { slab: 1, generation: 1, lease: 0, serial: 0 };
  return new ArenaReference({ ...place, dtype: 'u8', shape: [4], byteLength: 4 });
}

function damaged(bytes: Buffer, at: number): Buffer {
  bytes[at] = 0xee;
  return bytes;
}
