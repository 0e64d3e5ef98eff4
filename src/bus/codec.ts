/**
 * Values as compact bytes (MessagePack): JSON is for the edges, this is for
 * traffic between threads and processes. Plain objects, arrays, strings,
 * numbers, booleans, null, undefined, big integers, dates and typed arrays
 * survive; −0 becomes 0, and a Uint8Array inside an object comes back as a
 * Buffer or a Uint8Array.
 *
 * Invariants
 *   C1. No state is kept from one message to the next: every message can be
 *       decoded alone, whoever sent it.
 *   C2. Decoded values share no memory with the bytes, which a ring reuses.
 *   C3. Hostile bytes give BUS_FRAME_CORRUPT, never a crash and never an
 *       allocation larger than the message explains.
 */
import { Packr } from 'msgpackr';
import { RuntimeError } from '../kernel/errors.ts';

const packr = new Packr({
  useRecords: false, // (C1)
  copyBuffers: true, // (C2)
  structuredClone: false, // (C3): no references between values
  moreTypes: true,
  variableMapSize: true,
});

/**
 * Bytes of a value. They are never written again, so the caller may keep them.
 * @throws RangeError when the value is a cycle.
 */
export function encode(value: unknown): Buffer {
  return packr.pack(value);
}

/**
 * The value that `bytes` hold between `start` and `end`.
 * @throws RuntimeError BUS_FRAME_CORRUPT when they do not hold exactly one.
 */
export function decode(bytes: Uint8Array, start = 0, end = bytes.length): unknown {
  try {
    return packr.unpack(bytes, { start, end });
  } catch (cause) {
    throw new RuntimeError(
      'BUS_FRAME_CORRUPT',
      `The ${end - start} bytes of a message body are damaged; the message was skipped.`,
      { cause },
    );
  }
}
