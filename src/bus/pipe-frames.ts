/**
 * The frames of the bus over a pipe, between the runtime and a process of its
 * own. One writer and one reader for each direction of a pipe; the other side
 * may be hostile.
 *
 * Invariants
 *   P1. A length above the bound is refused before a byte of the body is kept,
 *       so the other side cannot make this side grow.
 *   P2. Work is in proportion to the bytes that came, however they are cut;
 *       besides what is handed on, one frame at most is in memory.
 *   P3. A pipe loses nothing. So the first damage, a gap in the sequence
 *       included, ends the stream for good: what follows cannot be trusted.
 *   P4. The arena is not shared with other processes: a reference is damage.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { decodeGuarded } from './codec.ts';
import { corruptFrame } from './corrupt-frame.ts';
import {
  encodeBody,
  type FrameHeader,
  frameLength,
  readBody,
  readBodyKind,
  readHeader,
  writeFrame,
} from './frame.ts';
import { bodyLengthWord, frameHeaderBytes, frameMark } from './frame-descriptor.ts';
import type { ThreadId } from './thread-id.ts';

/** What came over a pipe. */
export interface PipeFrame {
  readonly header: FrameHeader;
  readonly body: unknown;
}

export class PipeFrameWriter {
  readonly #from: ThreadId;
  readonly #bytesMax: number;
  #sequence = 0;

  /** Frames `from` this side, of at most `bytesMax` bytes each. */
  constructor(from: ThreadId, bytesMax: number) {
    this.#from = from;
    this.#bytesMax = bytesMax;
  }

  /**
   * The next frame of the stream, in memory of its own; write it whole, in this order.
   * @throws AssertionError when it is longer than the bound; BUS_BODY_UNSUPPORTED
   */
  encode(topic: number, body: unknown): Buffer {
    const encoded = encodeBody(body);
    assert(encoded.kind !== 'arena', 'a payload of the arena does not leave the process'); // (P4)
    const lengthBytes = frameLength(encoded);
    assert(lengthBytes <= this.#bytesMax, `a frame of ${lengthBytes} bytes exceeds its bound`);
    this.#sequence = (this.#sequence + 1) >>> 0;
    const header: FrameHeader = {
      type: 'message',
      topic,
      from: this.#from,
      correlation: 0,
      sequence: this.#sequence,
      cause: null,
      sentAtUs: null,
    };
    const bytes = Buffer.allocUnsafe(lengthBytes);
    writeFrame(header, encoded, bytes, 0);
    return bytes;
  }
}

/** Cuts a byte stream into frames. */
export class PipeFrameReader {
  readonly #bytesMax: number;
  /** The frame that is arriving: its header alone until that is whole. */
  #frame = Buffer.alloc(frameHeaderBytes);
  #filled = 0;
  #sequence = 0;
  #damaged = false;

  /** Frames of at most `bytesMax` bytes, header included. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * The frames that `chunk` completes, in order, or null once the stream is
   * not one of frames; it stays null from then on (P3).
   */
  push(chunk: Buffer): PipeFrame[] | null {
    const frames: PipeFrame[] = [];
    try {
      for (let at = 0; at < chunk.length && !this.#damaged; ) {
        const taken = Math.min(chunk.length - at, this.#frame.length - this.#filled);
        chunk.copy(this.#frame, this.#filled, at, at + taken); // (P2)
        this.#filled += taken;
        at += taken;
        if (this.#filled === this.#frame.length) this.#complete(frames);
      }
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      this.#damaged = true;
      this.#frame = Buffer.alloc(0);
    }
    return this.#damaged ? null : frames;
  }

  /** The header is whole, or all of the frame. */
  #complete(frames: PipeFrame[]): void {
    const lengthBytes = this.#lengthBytes();
    if (lengthBytes > this.#frame.length) {
      const whole = Buffer.alloc(lengthBytes);
      this.#frame.copy(whole);
      this.#frame = whole;
      return;
    }
    const frame = this.#frame;
    const header = readHeader(frame, 0, lengthBytes);
    if (header.sequence !== (this.#sequence + 1) >>> 0) throw corruptFrame('a wrong sequence'); // (P3)
    if (readBodyKind(frame, 0) === 'arena') throw corruptFrame('a reference to an arena'); // (P4)
    this.#sequence = header.sequence;
    frames.push({ header, body: readBody(frame, 0, lengthBytes, decodeGuarded) });
    this.#frame = Buffer.alloc(frameHeaderBytes);
    this.#filled = 0;
  }

  /** @throws RuntimeError BUS_FRAME_CORRUPT when the header is none, or says more than the bound. */
  #lengthBytes(): number {
    const lengthBytes = frameHeaderBytes + this.#frame.readUInt32LE(bodyLengthWord);
    if (this.#frame.readUInt16LE(0) !== frameMark)
      throw corruptFrame('a wrong magic byte or version');
    if (lengthBytes > this.#bytesMax) throw corruptFrame('more bytes than its bound'); // (P1)
    return lengthBytes;
  }
}
