import { describe, expect, it } from 'vitest';
import type { BusMessage } from '../../src/bus/frame.ts';
import {
  encodeMessage,
  frameHeaderBytes,
  frameLength,
  readFrame,
  writeFrame,
} from '../../src/bus/frame.ts';
import { threadId } from '../../src/bus/thread-id.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';

function framed(message: Partial<BusMessage>): Buffer {
  const encoded = encodeMessage({
    topic: 1,
    from: threadId(0),
    correlation: 0,
    body: null,
    ...message,
  });
  const bytes = Buffer.alloc(frameLength(encoded));
  writeFrame(encoded, bytes, 0);
  return bytes;
}

/** A small generator with a fixed seed, so that a failing case comes back. */
function randomSource(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('a frame', () => {
  it.each([
    { topic: 0, from: threadId(0), correlation: 0, body: null },
    {
      topic: 65_535,
      from: threadId(65_535),
      correlation: 2 ** 32 - 1,
      body: { deep: [1, { a: 'b' }] },
    },
    { topic: 300, from: threadId(3), correlation: 70_000, body: undefined },
  ])('brings back topic $topic with all its fields', (message) => {
    const bytes = framed(message);
    expect(readFrame(bytes, 0, bytes.length)).toEqual(message);
  });

  it('is read in the middle of a larger buffer', () => {
    const bytes = framed({ body: 'text' });
    const larger = Buffer.concat([Buffer.alloc(5, 1), bytes, Buffer.alloc(5, 1)]);
    expect(readFrame(larger, 5, bytes.length).body).toBe('text');
  });

  it('carries bytes as they are, and hands on a copy', () => {
    for (const length of [0, 1, 31, 32, 33, 5_000]) {
      const body = Buffer.alloc(length, 0xab);
      const bytes = framed({ body });
      expect(bytes.length).toBe(frameHeaderBytes + length);
      const read = readFrame(bytes, 0, bytes.length).body;
      bytes.fill(0);
      expect(read).toEqual(body);
    }
  });

  it('takes no topic or correlation out of range', () => {
    for (const wrong of [
      { topic: 65_536 },
      { topic: -1 },
      { topic: 1.5 },
      { correlation: -1 },
      { correlation: 2 ** 32 },
    ]) {
      expect(() => framed(wrong)).toThrowError(/^not a (topic|correlation)/);
    }
    expect(() => threadId(65_536)).toThrowError('not a thread id');
  });

  it.each([
    ['too short', (bytes: Buffer) => bytes.subarray(0, frameHeaderBytes - 1)],
    ['with a wrong magic byte', (bytes: Buffer) => bytes.fill(0, 0, 1)],
    ['of another version', (bytes: Buffer) => bytes.fill(2, 1, 2)],
    ['with an unknown flag', (bytes: Buffer) => bytes.fill(4, 2, 3)],
    ['with a body length that is too large', (bytes: Buffer) => bytes.fill(0x7f, 12, 16)],
    ['with a body length that is too small', (bytes: Buffer) => bytes.fill(0, 12, 16)],
    ['that was cut', (bytes: Buffer) => bytes.subarray(0, bytes.length - 1)],
  ])('%s is corrupt', (_name, damage) => {
    const bytes = damage(framed({ body: { some: 'body' } }));
    expect(() => readFrame(bytes, 0, bytes.length)).toThrowError(
      expect.objectContaining({ code: 'BUS_FRAME_CORRUPT' }),
    );
  });

  it('survives a hundred thousand mutations: a message or a corrupt frame, nothing else', () => {
    const random = randomSource(20_261_120);
    const bodies = [
      {
        type: 'outcome',
        key: 'run:actor:1:0',
        numbers: [1, 2.5, -3],
        nested: { list: ['a', 'b'], ok: true },
      },
      {
        bytes: Buffer.alloc(40, 1),
        floats: new Float32Array(5),
        when: new Date(0),
        big: 2n ** 60n,
      },
      'text '.repeat(60),
      Array.from({ length: 50 }, (_, index) => ({ index, name: `n${index}` })),
    ].map((body) => framed({ topic: 9, correlation: 77, body }));
    let corrupt = 0;
    let read = 0;
    for (let round = 0; round < 100_000; round += 1) {
      const bytes = Buffer.from(bodies[round % bodies.length] ?? Buffer.alloc(0));
      for (let flips = 1 + random(4); flips > 0; flips -= 1) {
        // Most damage goes to the body, which only the codec guards.
        const from = random(4) === 0 ? 0 : frameHeaderBytes;
        bytes[from + random(bytes.length - from)] = random(256);
      }
      const length = random(8) === 0 ? random(bytes.length + 1) : bytes.length;
      try {
        readFrame(bytes, 0, length);
        read += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(RuntimeError);
        expect((error as RuntimeError).code).toBe('BUS_FRAME_CORRUPT');
        corrupt += 1;
      }
    }
    expect(read + corrupt).toBe(100_000);
    expect(corrupt).toBeGreaterThan(10_000);
    expect(read).toBeGreaterThan(10_000);
  });
});
