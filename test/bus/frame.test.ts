import { describe, expect, it } from 'vitest';
import { ArenaReference, generationMax } from '../../src/bus/arena-reference.ts';
import {
  encodeBody,
  type FrameHeader,
  frameHeaderBytes,
  frameLength,
  keepBody,
  readBody,
  readBodyKind,
  readHeader,
  writeFrame,
} from '../../src/bus/frame.ts';
import { type Dtype, dtypes, elementBytes, elementsAt, Tensor } from '../../src/bus/tensor.ts';
import { threadId } from '../../src/bus/thread-id.ts';

const plain: FrameHeader = {
  type: 'message',
  topic: 1,
  from: threadId(0),
  correlation: 0,
  sequence: 1,
  cause: null,
  sentAtUs: null,
};

function framed(body: unknown, header: Partial<FrameHeader> = {}): Buffer {
  const encoded = encodeBody(body);
  const bytes = Buffer.alloc(frameLength(encoded));
  writeFrame({ ...plain, ...header }, encoded, bytes, 0);
  return bytes;
}

function bodyOf(bytes: Buffer): unknown {
  readHeader(bytes, 0, bytes.length);
  return readBody(bytes, 0, bytes.length);
}

const corrupt = expect.objectContaining({ code: 'BUS_FRAME_CORRUPT' });

function reference(shape: readonly number[], dtype: Dtype = 'f32'): ArenaReference {
  const byteLength = shape.reduce((product, each) => product * each, elementBytes(dtype));
  const place = { slab: 65_535, generation: generationMax, lease: 63, serial: 65_535 };
  return new ArenaReference({ ...place, dtype, shape, byteLength });
}

describe('a frame', () => {
  it.each([
    plain,
    {
      type: 'request',
      topic: 65_535,
      from: threadId(65_535),
      correlation: 2 ** 32 - 1,
      sequence: 2 ** 32 - 1,
      cause: { from: threadId(65_535), sequence: 2 ** 32 - 1 },
      sentAtUs: 2 ** 32 - 1,
    },
    { ...plain, type: 'reply', cause: { from: threadId(0), sequence: 0 }, sentAtUs: 0 },
    { ...plain, type: 'error-reply', correlation: 70_000 },
  ] satisfies FrameHeader[])('brings back every field of a $type', (header) => {
    const bytes = framed(null, header);
    expect(readHeader(bytes, 0, bytes.length)).toEqual(header);
    expect(bytes.length).toBe(frameHeaderBytes);
  });

  it('leaves nothing of what lay there before', () => {
    const bytes = Buffer.alloc(frameHeaderBytes, 0xff);
    writeFrame(plain, encodeBody(null), bytes, 0);
    expect(bytes).toEqual(framed(null));
  });

  it('is read in the middle of a larger buffer', () => {
    const bytes = framed('text');
    const larger = Buffer.concat([Buffer.alloc(5, 1), bytes, Buffer.alloc(5, 1)]);
    expect(readHeader(larger, 5, bytes.length)).toEqual(plain);
    expect(readBody(larger, 5, bytes.length)).toBe('text');
  });

  it.each([null, undefined, 'text', 5, { deep: [1, { a: 'b' }] }])(
    'carries the value %j',
    (value) => {
      expect(bodyOf(framed(value))).toEqual(value);
    },
  );

  it('carries bytes as they are, and hands on a copy', () => {
    for (const length of [0, 1, 31, 32, 33, 5_000]) {
      const bytes = framed(Buffer.alloc(length, 0xab));
      expect(bytes.length).toBe(frameHeaderBytes + length);
      const read = bodyOf(bytes);
      bytes.fill(0);
      expect(read).toEqual(Buffer.alloc(length, 0xab));
    }
  });

  it('carries tensors of every element type, and hands on a copy', () => {
    for (const dtype of dtypes) {
      for (const shape of [[], [0], [3], [2, 3], [1, 2, 3, 1, 2]]) {
        const lengthBytes = shape.reduce((product, each) => product * each, elementBytes(dtype));
        const raw = Uint8Array.from({ length: lengthBytes }, (_, index) => index + 1);
        const data = elementsAt(dtype, raw.buffer, { offset: 0, lengthBytes });
        const bytes = framed(new Tensor(dtype, shape, data));
        const read = bodyOf(bytes) as Tensor;
        bytes.fill(0);
        expect(read).toEqual(new Tensor(dtype, shape, data));
      }
    }
  });

  it('aligns the elements of a tensor', () => {
    const bytes = framed(new Tensor('u8', [1], new Uint8Array([0x77])));
    expect(bytes.indexOf(0x77) % 8).toBe(0);
  });

  it('carries references to the arena', () => {
    for (const shape of [[], [4_096], [1, 2, 3, 4, 5], [2 ** 32 - 1]]) {
      expect(bodyOf(framed(reference(shape, 'u8')))).toEqual(reference(shape, 'u8'));
    }
  });

  it('says the kind of its body before that is read', () => {
    const bodies = [
      null,
      'v',
      Buffer.alloc(1),
      new Tensor('i8', [0], new Int8Array(0)),
      reference([1]),
    ];
    const kinds = bodies.map((body) => readBodyKind(framed(body), 0));
    expect(kinds).toEqual(['none', 'value', 'bytes', 'tensor', 'arena']);
  });

  it('takes no field out of range', () => {
    for (const [wrong, complaint] of [
      [{ topic: 65_536 }, 'topic'],
      [{ topic: -1 }, 'topic'],
      [{ topic: 1.5 }, 'topic'],
      [{ correlation: -1 }, 'correlation'],
      [{ correlation: 2 ** 32 }, 'correlation'],
      [{ sequence: 2 ** 32 }, 'sequence'],
    ] as const) {
      expect(() => framed(null, wrong)).toThrowError(complaint);
    }
    expect(() => threadId(65_536)).toThrowError('not a thread id');
  });

  it.each([
    ['too short', (bytes: Buffer) => bytes.subarray(0, frameHeaderBytes - 1)],
    ['with a wrong magic byte', (bytes: Buffer) => bytes.fill(0, 0, 1)],
    ['of another version', (bytes: Buffer) => bytes.fill(3, 1, 2)],
    ['with an unknown flag', (bytes: Buffer) => bytes.fill(4, 2, 3)],
    ['with an unknown type', (bytes: Buffer) => bytes.fill(4, 22, 23)],
    ['with an unknown kind of body', (bytes: Buffer) => bytes.fill(5, 23, 24)],
    ['with a body length that is too large', (bytes: Buffer) => bytes.fill(0x7f, 24, 28)],
    ['with a body length that is too small', (bytes: Buffer) => bytes.fill(0, 24, 28)],
    ['with a time that no flag announces', (bytes: Buffer) => bytes.fill(1, 28, 29)],
    ['with a cause that no flag announces', (bytes: Buffer) => bytes.fill(1, 16, 17)],
    ['with a causing thread that no flag announces', (bytes: Buffer) => bytes.fill(1, 20, 21)],
    ['that was cut', (bytes: Buffer) => bytes.subarray(0, bytes.length - 1)],
  ])('%s is corrupt', (_name, damage) => {
    const bytes = damage(framed({ some: 'body' }));
    expect(() => readHeader(bytes, 0, bytes.length)).toThrowError(corrupt);
  });

  it.each([
    ['bytes where none belong', framed('x'), 23, 0],
    ['a tensor of an unknown type', framed(new Tensor('u8', [2], new Uint8Array(2))), 32, 6],
    ['a tensor of too many dimensions', framed(new Tensor('u8', [2], new Uint8Array(2))), 33, 6],
    ['a tensor with reserved bytes', framed(new Tensor('u8', [2], new Uint8Array(2))), 34, 1],
    ['a tensor of a larger shape', framed(new Tensor('u8', [2], new Uint8Array(2))), 36, 3],
    ['a tensor of a huge shape', framed(new Tensor('u8', [2], new Uint8Array(2))), 39, 0xff],
    [
      'a tensor with bytes before its elements',
      framed(new Tensor('u8', [1, 1], new Uint8Array(1))),
      44,
      1,
    ],
    ['a reference with an unknown type', framed(reference([4])), 35, 0x1f],
    ['a reference with too many dimensions', framed(reference([4])), 35, 0x60],
    ['a reference with an impossible lease', framed(reference([4])), 34, 64],
    ['a reference to a free slab', framed(reference([4])), 38, 0xfe],
    ['a reference with a dimension beyond its rank', framed(reference([4])), 48, 1],
  ])('with %s is corrupt', (_name, bytes, at, value) => {
    expect(() => bodyOf(bytes)).not.toThrow();
    bytes[at] = value;
    expect(() => bodyOf(bytes)).toThrowError(corrupt);
  });
});

describe('a body that is kept', () => {
  it('is nobody else’s memory', () => {
    const raw = Buffer.from('raw');
    const numbers = new Float32Array([1, 2]);
    const kept = [{ text: 'first' }, raw, new Tensor('f32', [2], numbers), null].map((body) =>
      keepBody(encodeBody(body)),
    );
    encodeBody({ text: 'later', more: 'x'.repeat(100) });
    raw.fill(0);
    numbers.fill(0);
    const read = kept.map((body) => {
      const bytes = Buffer.alloc(frameLength(body));
      writeFrame(plain, body, bytes, 0);
      return bodyOf(bytes);
    });
    const tensor = new Tensor('f32', [2], new Float32Array([1, 2]));
    expect(read).toEqual([{ text: 'first' }, Buffer.from('raw'), tensor, null]);
  });
});
