/**
 * Mutated frames in the inbox of a real endpoint. BUS_FUZZ_FRAMES says how
 * many; the seed is fixed, so that a failing frame comes back.
 */
import { expect, test } from 'vitest';
import { ArenaReference } from '../../src/bus/arena-reference.ts';
import type { DeadLetter } from '../../src/bus/dead-letters.ts';
import type { Endpoint } from '../../src/bus/endpoint.ts';
import {
  encodeBody,
  type FrameHeader,
  frameHeaderBytes,
  frameLength,
  writeFrame,
} from '../../src/bus/frame.ts';
import { PipeFrameReader } from '../../src/bus/pipe-frames.ts';
import { refusedClaim } from '../../src/bus/ring-buffer.ts';
import { Tensor } from '../../src/bus/tensor.ts';
import { a, b, c, deadLetters, note, order, smallBus, tick } from '../bus/small-bus.ts';

const frames = Number(process.env.BUS_FUZZ_FRAMES ?? 100_000);

/** Fills the ring around each frame; a body that shows it has read beyond its frame. */
const poison = 0xd7;
const poisoned = Buffer.alloc(8, poison);

function randomSource(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const random = randomSource(20_261_126);

const plain: FrameHeader = {
  type: 'message',
  topic: note.id,
  from: a,
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

const place = { slab: 0, generation: 1, lease: 0, serial: 0 };
const originals = [
  framed({ type: 'outcome', key: 'run:1:0', numbers: [1, 2.5, -3], nested: { ok: true } }),
  framed([new Float32Array(3), 2n ** 60n, new Date(0), Buffer.alloc(9, 1)], { topic: tick.id }),
  framed('text '.repeat(12), { cause: { from: c, sequence: 4 }, sentAtUs: 77 }),
  framed(Buffer.from('raw bytes'), { topic: order.id }),
  framed(new Tensor('f16', [2, 3], new Float16Array(6)), { from: c }),
  framed(new ArenaReference({ ...place, dtype: 'u8', shape: [16], byteLength: 16 })),
  framed({ correlated: true }, { type: 'reply', correlation: 9 }),
];

/** Flips bits, overwrites, splices, lies about lengths, cuts. */
function mutated(): Buffer {
  const original = originals[random(originals.length)] ?? Buffer.alloc(0);
  const bytes = Buffer.from(original);
  for (let changes = 1 + random(4); changes > 0; changes -= 1) {
    const at = random(4) === 0 ? random(frameHeaderBytes) : random(bytes.length);
    switch (random(4)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes[at] = random(256);
        break;
      case 2: {
        const other = originals[random(originals.length)] ?? original;
        other.copy(bytes, at, random(other.length));
        break;
      }
      default:
        bytes.writeUInt32LE(random(2) === 0 ? 0xffff_ffff : random(300), 4 * random(8));
    }
  }
  return random(8) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
}

function hasPoison(body: unknown): boolean {
  if (typeof body === 'string') return Buffer.from(body, 'latin1').includes(poisoned);
  if (ArrayBuffer.isView(body)) {
    return Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(poisoned);
  }
  if (body instanceof Tensor) return hasPoison(body.data);
  if (typeof body === 'object' && body !== null) return Object.values(body).some(hasPoison);
  return false;
}

test(`of ${frames} mutated frames each is delivered where it may go or becomes a dead letter`, () => {
  const { endpoints, inboxOf } = smallBus(['atomics', 'atomics', 'atomics'], {
    arena: [{ slabBytes: 4_096, slabs: 1 }],
    inboxBytes: 16_384,
  });
  const [first, second] = endpoints as [Endpoint, Endpoint];
  const ring = inboxOf(1);
  let handled = 0;
  let wrong = 0;
  const listen = (topic: { readonly id: number }, mayFrom: readonly number[]) => {
    return (body: unknown, header: FrameHeader): void => {
      handled += 1;
      const isRight = header.topic === topic.id && mayFrom.includes(header.from);
      if (!isRight || hasPoison(body)) wrong += 1;
    };
  };
  second.on(note, listen(note, [a, b, c]));
  second.on(tick, listen(tick, [a, b, c]));
  second.on(order, listen(order, [a]));
  let letters = 0;
  const reasons = new Set<string>();
  first.on(deadLetters, (letter: DeadLetter) => {
    letters += 1;
    reasons.add(letter.reason);
  });
  first.subscribe(deadLetters);
  ring.bytes.fill(poison);
  for (let frame = 0; frame < frames; frame += 1) {
    const bytes = mutated();
    const index = ring.tryClaim(1, bytes.length);
    expect(index).not.toBe(refusedClaim);
    bytes.copy(ring.bytes, index);
    ring.commit(index);
    expect(second.drain()).toBe(1);
    ring.bytes.fill(poison, index, index + bytes.length);
    first.drain();
  }
  const { corrupt, deadLettered } = second.statistics();
  expect(wrong).toBe(0);
  expect(handled + deadLettered).toBe(frames);
  // A mutation can also make a frame a dead letter itself, of which none is written.
  expect(letters).toBeGreaterThan(deadLettered * 0.95);
  expect(letters).toBeLessThanOrEqual(deadLettered);
  expect(handled).toBeGreaterThan(frames / 100);
  expect(corrupt).toBeGreaterThan(frames / 10);
  expect([...reasons].sort()).toEqual(
    expect.arrayContaining([
      'corrupt',
      'late-reply',
      'not-permitted',
      'unknown-sender',
      'unknown-topic',
    ]),
  );
});

test('a pipe takes mutated frames for frames or for the end of the stream, nothing else', () => {
  let frames = 0;
  let ends = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const reader = new PipeFrameReader(1_000);
    const stream = Buffer.concat([mutated(), mutated()]);
    const cut = random(stream.length);
    for (const part of [stream.subarray(0, cut), stream.subarray(cut)]) {
      const read = reader.push(part);
      if (read === null) ends += 1;
      else frames += read.length;
    }
  }
  expect(frames).toBeGreaterThan(1_000);
  expect(ends).toBeGreaterThan(1_000);
});
