/**
 * A frame: one message as bytes, the same in a ring and on a pipe. Header and
 * body are read separately, so that a frame that nobody may receive is never
 * decoded.
 *
 * Invariants
 *   F1. A reader trusts no field before it is checked against the bytes that
 *       are really there; what this version does not know is damage.
 *   F2. A body that is handed on shares no memory with the frame, which is
 *       reused.
 *   F3. The memory under a frame does not change while it is read: it belongs
 *       to the reader. What else could be damaged is not looked for here, for
 *       memory needs no checksum.
 */
import { assert, assertNever } from '../kernel/assert.ts';
import {
  ArenaReference,
  arenaReferenceBytes,
  readArenaReference,
  writeArenaReference,
} from './arena-reference.ts';
import { decode, encode } from './codec.ts';
import { copyBytes } from './copy-bytes.ts';
import { corruptFrame } from './corrupt-frame.ts';
import { DataViews } from './data-views.ts';
import {
  addressWord,
  bodyKinds,
  bodyLengthWord,
  causeFlag,
  causeSequenceWord,
  correlationWord,
  frameHeaderBytes,
  frameMark,
  frameTypes,
  kindCodes,
  kindsWord,
  knownFlags,
  sentAtFlag,
  sentAtWord,
  sequenceWord,
  typeCodes,
} from './frame-descriptor.ts';
import { Tensor } from './tensor.ts';
import { readTensorBody, tensorBodyBytes, writeTensorBody } from './tensor-body.ts';
import type { ThreadId } from './thread-id.ts';

export { frameHeaderBytes } from './frame-descriptor.ts';

/**
 * What a frame is to its receiver: a message, a question, an answer to one, or
 * the failure of one.
 */
export type FrameType = (typeof frameTypes)[number];

/** Names one message: its sender and its sequence there. */
export interface MessageId {
  readonly from: ThreadId;
  readonly sequence: number;
}

export interface FrameHeader {
  readonly type: FrameType;
  /** 0 to 65,535. */
  readonly topic: number;
  readonly from: ThreadId;
  /** 0 to 2^32 − 1; ties an answer to its question, 0 where there is none. */
  readonly correlation: number;
  /** 0 to 2^32 − 1; counts the messages of this sender to this receiver. */
  readonly sequence: number;
  /** The message that was being handled when this one was sent, if any. */
  readonly cause: MessageId | null;
  /** Microseconds of the process-wide monotonic clock modulo 2^32; few frames are stamped. */
  readonly sentAtUs: number | null;
}

/** A body as it will lie in the frame. */
export type FrameBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'value'; readonly bytes: Uint8Array }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'tensor'; readonly tensor: Tensor }
  | { readonly kind: 'arena'; readonly reference: ArenaReference };

const noBody: FrameBody = { kind: 'none' };

/** A thread reads from its own inbox and writes to those of others. */
const reading = new DataViews();
const writing = new DataViews();

/**
 * Makes a body ready to be framed: null becomes an empty body, a Uint8Array, a
 * Tensor or an ArenaReference stay what they are, everything else goes through
 * the codec. The memory of an encoded value is used again by the next; bytes and
 * elements belong to the caller: write the frame at once, or `keepBody`.
 * @throws RuntimeError BUS_BODY_UNSUPPORTED, BUS_MESSAGE_TOO_LARGE.
 */
export function encodeBody(body: unknown): FrameBody {
  if (body === null) return noBody;
  if (body instanceof Uint8Array) return { kind: 'bytes', bytes: body };
  if (body instanceof Tensor) return { kind: 'tensor', tensor: body };
  if (body instanceof ArenaReference) return { kind: 'arena', reference: body };
  return { kind: 'value', bytes: encode(body) };
}

/** The same body in memory of its own, which nobody changes any more. */
export function keepBody(body: FrameBody): FrameBody {
  switch (body.kind) {
    case 'value':
    case 'bytes':
      return { kind: body.kind, bytes: Buffer.from(body.bytes) };
    case 'tensor': {
      const { dtype, shape, data } = body.tensor;
      return { kind: 'tensor', tensor: new Tensor(dtype, [...shape], data.slice()) };
    }
    default:
      return body;
  }
}

function bodyLength(body: FrameBody): number {
  switch (body.kind) {
    case 'none':
      return 0;
    case 'value':
    case 'bytes':
      return body.bytes.length;
    case 'tensor':
      return tensorBodyBytes(body.tensor);
    case 'arena':
      return arenaReferenceBytes;
    default:
      return assertNever(body, 'length of a body');
  }
}

/** Length of the frame of a body, in bytes. */
export function frameLength(body: FrameBody): number {
  return frameHeaderBytes + bodyLength(body);
}

/** Writes the frame at `offset`; the caller has made `frameLength` bytes of room. */
export function writeFrame(
  header: FrameHeader,
  body: FrameBody,
  bytes: Buffer,
  offset: number,
): void {
  const start = offset + frameHeaderBytes;
  // The kind is told apart once, here, for a header takes no longer than that.
  switch (body.kind) {
    case 'none':
      writeHeader(header, kindCodes.none, 0, bytes, offset);
      return;
    case 'value':
    case 'bytes': {
      const kind = body.kind === 'value' ? kindCodes.value : kindCodes.bytes;
      writeHeader(header, kind, body.bytes.length, bytes, offset);
      copyBytes(body.bytes, bytes, start);
      return;
    }
    case 'tensor':
      writeHeader(header, kindCodes.tensor, tensorBodyBytes(body.tensor), bytes, offset);
      writeTensorBody(body.tensor, bytes, start);
      return;
    case 'arena':
      writeHeader(header, kindCodes.arena, arenaReferenceBytes, bytes, offset);
      writeArenaReference(body.reference, writing.of(bytes), start);
      return;
    default:
      assertNever(body, 'body to write');
  }
}

function writeHeader(
  header: FrameHeader,
  kind: number,
  bodyBytes: number,
  bytes: Buffer,
  offset: number,
): void {
  const { type, topic, correlation, sequence, cause, sentAtUs } = header;
  assert((topic & 0xffff) === topic, 'a topic is a number of 16 bits');
  assert(correlation >>> 0 === correlation, 'a correlation is a number of 32 bits');
  assert(sequence >>> 0 === sequence, 'a sequence is a number of 32 bits');
  const flags = (sentAtUs === null ? 0 : sentAtFlag) | (cause === null ? 0 : causeFlag);
  const causeSender = cause === null ? 0 : cause.from;
  const typeCode = type === 'message' ? typeCodes.message : typeCodes[type];
  const view = writing.of(bytes);
  view.setUint32(offset, frameMark | (flags << 16), true);
  view.setUint32(offset + addressWord, topic | (header.from << 16), true);
  view.setUint32(offset + correlationWord, correlation, true);
  view.setUint32(offset + sequenceWord, sequence, true);
  view.setUint32(offset + causeSequenceWord, cause === null ? 0 : cause.sequence, true);
  view.setUint32(offset + kindsWord, causeSender | (typeCode << 16) | (kind << 24), true);
  view.setUint32(offset + bodyLengthWord, bodyBytes, true);
  view.setUint32(offset + sentAtWord, sentAtUs ?? 0, true);
}

/**
 * The header of the frame of exactly `lengthBytes` at `offset`, and nothing of
 * its body but that it has the length that the header says.
 * @throws RuntimeError BUS_FRAME_CORRUPT
 */
export function readHeader(bytes: Buffer, offset: number, lengthBytes: number): FrameHeader {
  assert(offset >= 0 && offset + lengthBytes <= bytes.length, 'a frame lies inside its buffer');
  if (lengthBytes < frameHeaderBytes) throw corruptFrame('no complete header'); // (F1)
  const view = reading.of(bytes);
  const mark = view.getUint32(offset, true);
  if ((mark & 0xffff) !== frameMark) throw corruptFrame('a wrong magic byte or version');
  const flags = mark >>> 16;
  if ((flags & ~knownFlags) !== 0) throw corruptFrame('unknown flags');
  const kinds = view.getUint32(offset + kindsWord, true);
  const type = frameTypes[(kinds >>> 16) & 0xff];
  if (type === undefined) throw corruptFrame('an unknown type');
  if (kinds >>> 24 >= bodyKinds.length) throw corruptFrame('an unknown kind of body');
  if (view.getUint32(offset + bodyLengthWord, true) !== lengthBytes - frameHeaderBytes) {
    throw corruptFrame('a wrong body length');
  }
  const sentAtUs = view.getUint32(offset + sentAtWord, true);
  if ((flags & sentAtFlag) === 0 && sentAtUs !== 0) throw corruptFrame('a time without its flag');
  const causeSequence = view.getUint32(offset + causeSequenceWord, true);
  const causeSender = (kinds & 0xffff) as ThreadId; // Every number of 16 bits is one.
  if ((flags & causeFlag) === 0 && (causeSender | causeSequence) !== 0) {
    throw corruptFrame('a cause without its flag');
  }
  const address = view.getUint32(offset + addressWord, true);
  return {
    type,
    topic: address & 0xffff,
    from: (address >>> 16) as ThreadId, // As above.
    correlation: view.getUint32(offset + correlationWord, true),
    sequence: view.getUint32(offset + sequenceWord, true),
    cause: (flags & causeFlag) === 0 ? null : { from: causeSender, sequence: causeSequence },
    sentAtUs: (flags & sentAtFlag) === 0 ? null : sentAtUs,
  };
}

/** The kind of the body of a frame whose header `readHeader` accepted. */
export function readBodyKind(bytes: Buffer, offset: number): FrameBody['kind'] {
  const kind = bodyKinds[reading.of(bytes).getUint32(offset + kindsWord, true) >>> 24];
  assert(kind !== undefined, 'the header was accepted');
  return kind;
}

/**
 * The body of a frame whose header `readHeader` accepted (F1), in memory of its
 * own (F2): null, a value, a Buffer, a Tensor or an ArenaReference.
 * @throws RuntimeError BUS_FRAME_CORRUPT
 */
export function readBody(
  bytes: Buffer,
  offset: number,
  lengthBytes: number,
  decodeValue: typeof decode = decode,
): unknown {
  const start = offset + frameHeaderBytes;
  const bodyBytes = lengthBytes - frameHeaderBytes;
  const kind = readBodyKind(bytes, offset);
  switch (kind) {
    case 'none':
      if (bodyBytes !== 0) throw corruptFrame('bytes where no body belongs');
      return null;
    case 'value':
      return decodeValue(bytes, start, start + bodyBytes);
    case 'bytes':
      return copyOf(bytes, start, bodyBytes);
    case 'tensor':
      return readTensorBody(bytes, start, bodyBytes);
    case 'arena':
      if (bodyBytes !== arenaReferenceBytes) throw corruptFrame('a reference of a wrong length');
      return readArenaReference(reading.of(bytes), start);
    default:
      return assertNever(kind, 'body to read');
  }
}

function copyOf(bytes: Buffer, start: number, lengthBytes: number): Buffer {
  const copy = Buffer.allocUnsafe(lengthBytes);
  bytes.copy(copy, 0, start, start + lengthBytes);
  return copy;
}
