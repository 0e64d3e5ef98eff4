/**
 * Frames between the runtime and a sandbox process: a length, then JSON.
 *
 * ```
 *   0        4                  4 + length
 *   +--------+------------------+
 *   | length | JSON, UTF-8      |     length: unsigned, little-endian
 *   +--------+------------------+
 * ```
 *
 * Invariants
 *   F1. A length above the bound is refused before a byte of it is kept, so
 *       the other side cannot make this side grow.
 */
import { assert } from '../kernel/assert.ts';

const headerBytes = 4;

/** @throws AssertionError when the text is longer than `bytesMax`. */
export function encodeFrame(message: unknown, bytesMax: number): Buffer {
  const body = Buffer.from(JSON.stringify(message), 'utf8');
  assert(body.length <= bytesMax, `a frame of ${body.length} bytes exceeds ${bytesMax}`);
  const frame = Buffer.allocUnsafe(headerBytes + body.length);
  frame.writeUInt32LE(body.length, 0);
  body.copy(frame, headerBytes);
  return frame;
}

/** Cuts a byte stream into frames. */
export class FrameReader {
  readonly #bytesMax: number;
  #pending: Buffer = Buffer.alloc(0);
  #damaged = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * The messages that `chunk` completes, in order, or null once the stream is
   * not one of frames (too long, not JSON); it stays null from then on.
   */
  push(chunk: Buffer): unknown[] | null {
    if (this.#damaged) return null;
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const messages: unknown[] = [];
    while (this.#pending.length >= headerBytes) {
      const length = this.#pending.readUInt32LE(0);
      if (length > this.#bytesMax) return this.#refuse(); // (F1)
      const end = headerBytes + length;
      if (this.#pending.length < end) break;
      try {
        messages.push(JSON.parse(this.#pending.toString('utf8', headerBytes, end)));
      } catch {
        return this.#refuse();
      }
      this.#pending = this.#pending.subarray(end);
    }
    return messages;
  }

  #refuse(): null {
    this.#damaged = true;
    this.#pending = Buffer.alloc(0);
    return null;
  }
}
