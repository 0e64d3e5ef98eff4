/**
 * Values as compact bytes: JSON is for the edges, this is for traffic between
 * threads and processes. Plain objects, arrays, strings, numbers with NaN and
 * negative zero, booleans, null, undefined, big integers, dates and typed
 * arrays survive; an object loses its prototype and its symbols, a Buffer
 * comes back as a Uint8Array, a hole in an array as undefined.
 *
 * It is not MessagePack because most of a message here are keys and texts that
 * came before. They are compared with what is known and not decoded
 * (`known-shapes.ts`, `repeated-text.ts`), which no codec of the registry does
 * without state between the two sides.
 *
 * Invariants
 *   C1. Every message can be decoded alone, whoever sent it: what a reader
 *       knows from earlier ones only makes it faster.
 *   C2. Decoded values share no memory with the bytes, which a ring reuses.
 *   C3. Hostile bytes give BUS_FRAME_CORRUPT, never a crash and never an
 *       allocation larger than the message explains.
 */
import { ValueReader } from './value-reader.ts';
import { ValueWriter } from './value-writer.ts';

const writer = new ValueWriter();
const reader = new ValueReader({ constructors: true });
/** Learns nothing that becomes code. */
const guardedReader = new ValueReader({ constructors: false });

/**
 * Bytes of a value, valid until the next call: whoever keeps them copies them.
 * @throws RuntimeError BUS_BODY_UNSUPPORTED for functions, symbols, instances
 *   of classes, circles and values nested deeper than `limits.valueDepthMax`;
 *   BUS_MESSAGE_TOO_LARGE above `limits.valueBytesMax`.
 */
export function encode(value: unknown): Buffer {
  const lengthBytes = writer.write(value);
  return writer.bytes.subarray(0, lengthBytes);
}

/**
 * The value that `bytes` hold between `start` and `end`.
 * @throws RuntimeError BUS_FRAME_CORRUPT when they do not hold exactly one.
 */
export function decode(bytes: Buffer, start = 0, end = bytes.length): unknown {
  return reader.read(bytes, start, end);
}

/** As `decode`, for bytes from another process. */
export function decodeGuarded(bytes: Buffer, start = 0, end = bytes.length): unknown {
  return guardedReader.read(bytes, start, end);
}
