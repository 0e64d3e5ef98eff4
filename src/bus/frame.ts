/**
 * A frame: one message as bytes, the same in a ring and on a pipe. All
 * integers are little-endian.
 *
 *   byte 0       1         2         4         6         8             12            16
 *   ┌───────────┬─────────┬─────────┬─────────┬─────────┬─────────────┬─────────────┬──────┐
 *   │ magic 0xC7│ version │ flags   │ topic   │ sender  │ correlation │ body length │ body │
 *   │ uint8     │ uint8   │ uint16  │ uint16  │ uint16  │ uint32      │ uint32      │      │
 *   └───────────┴─────────┴─────────┴─────────┴─────────┴─────────────┴─────────────┴──────┘
 *
 *   flags  bit 0   the body is bytes as they are, else an encoded value
 *
 * Invariants
 *   F1. A reader trusts no field before it is checked against the bytes that
 *       are really there; unknown flags are damage.
 *   F2. A body that is handed on is a copy: the frame's memory is reused.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { decode, encode } from './codec.ts';
import { copyBytes } from './copy-bytes.ts';
import type { ThreadId } from './thread-id.ts';
import { threadId } from './thread-id.ts';

export const frameHeaderBytes = 16;

const magic = 0xc7;
const version = 1;
const versionOffset = 1;
const flagsOffset = 2;
const topicOffset = 4;
const senderOffset = 6;
const correlationOffset = 8;
const bodyLengthOffset = 12;

const plainBodyFlag = 1;

/** A message as its receiver sees it. */
export interface BusMessage {
  /** 0 to 65,535; what it means is between sender and receiver. */
  readonly topic: number;
  readonly from: ThreadId;
  /** 0 to 2^32 − 1; ties an answer to its question, 0 where there is none. */
  readonly correlation: number;
  readonly body: unknown;
}

/** A message whose body is bytes already. */
export interface EncodedMessage {
  readonly topic: number;
  readonly from: ThreadId;
  readonly correlation: number;
  /** The bytes are the body itself, not an encoded value. */
  readonly plainBody: boolean;
  readonly body: Uint8Array;
}

/** Length of the frame of a message, in bytes. */
export function frameLength(message: EncodedMessage): number {
  return frameHeaderBytes + message.body.length;
}

/** A message ready to be framed. A `body` that is a Uint8Array stays as it is. */
export function encodeMessage(message: BusMessage): EncodedMessage {
  const { topic, from, correlation, body } = message;
  assert((topic & 0xffff) === topic, `not a topic: ${topic}`);
  assert(correlation >>> 0 === correlation, `not a correlation: ${correlation}`);
  const plainBody = body instanceof Uint8Array;
  return { topic, from, correlation, plainBody, body: plainBody ? body : encode(body) };
}

/** Writes the frame at `offset`; the caller has made `frameLength` bytes of room. */
export function writeFrame(message: EncodedMessage, bytes: Buffer, offset: number): void {
  bytes[offset] = magic;
  bytes[offset + versionOffset] = version;
  bytes.writeUInt16LE(message.plainBody ? plainBodyFlag : 0, offset + flagsOffset);
  bytes.writeUInt16LE(message.topic, offset + topicOffset);
  bytes.writeUInt16LE(message.from, offset + senderOffset);
  bytes.writeUInt32LE(message.correlation, offset + correlationOffset);
  bytes.writeUInt32LE(message.body.length, offset + bodyLengthOffset);
  copyBytes(message.body, { bytes, offset: offset + frameHeaderBytes }, message.body.length);
}

function damaged(what: string): RuntimeError {
  return new RuntimeError('BUS_FRAME_CORRUPT', `A frame has ${what}; it was skipped.`);
}

/**
 * Reads the frame of exactly `lengthBytes` at `offset`.
 * @throws RuntimeError BUS_FRAME_CORRUPT
 */
export function readFrame(bytes: Buffer, offset: number, lengthBytes: number): BusMessage {
  assert(offset >= 0 && offset + lengthBytes <= bytes.length, 'a frame lies inside its buffer');
  if (lengthBytes < frameHeaderBytes) throw damaged('no complete header'); // (F1)
  if (bytes[offset] !== magic) throw damaged('a wrong magic byte');
  if (bytes[offset + versionOffset] !== version) throw damaged('an unknown version');
  const flags = bytes.readUInt16LE(offset + flagsOffset);
  if ((flags & ~plainBodyFlag) !== 0) throw damaged('unknown flags');
  const bodyLength = bytes.readUInt32LE(offset + bodyLengthOffset);
  if (bodyLength !== lengthBytes - frameHeaderBytes) throw damaged('a wrong body length');
  const start = offset + frameHeaderBytes;
  return {
    topic: bytes.readUInt16LE(offset + topicOffset),
    from: threadId(bytes.readUInt16LE(offset + senderOffset)),
    correlation: bytes.readUInt32LE(offset + correlationOffset),
    body:
      flags === plainBodyFlag
        ? copyOf(bytes, start, bodyLength) // (F2)
        : decode(bytes, start, start + bodyLength),
  };
}

function copyOf(bytes: Buffer, start: number, lengthBytes: number): Buffer {
  const copy = Buffer.allocUnsafe(lengthBytes);
  bytes.copy(copy, 0, start, start + lengthBytes);
  return copy;
}
