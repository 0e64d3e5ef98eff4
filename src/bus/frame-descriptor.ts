/**
 * Where everything lies in a frame: one message as bytes, the same in a ring
 * and on a pipe. All integers are little-endian.
 *
 *   byte 0         1         2         4         6         8
 *   ┌─────────────┬─────────┬─────────┬─────────┬─────────┬───────────────────┐
 *   │ magic 0xC7  │ version │ flags   │ topic   │ sender  │ correlation       │
 *   │ uint8       │ uint8   │ uint16  │ uint16  │ uint16  │ uint32            │
 *   └─────────────┴─────────┴─────────┴─────────┴─────────┴───────────────────┘
 *   byte 12        16            20           22     23     24        28
 *   ┌─────────────┬─────────────┬────────────┬──────┬──────┬─────────┬────────┐
 *   │ sequence    │ sequence of │ sender of  │ type │ kind │ length  │ sent at│
 *   │ uint32      │ the cause   │ the cause  │      │ of   │ of body │        │
 *   │             │ uint32      │ uint16     │ uint8│ body │ uint32  │ uint32 │
 *   └─────────────┴─────────────┴────────────┴──────┴──────┴─────────┴────────┘
 *   byte 32: the body
 *
 *   flags    bit 0   the frame says when it was sent
 *            bit 1   the frame says which message caused it
 *   sent at  microseconds of the process-wide monotonic clock modulo 2^32
 *
 * A field that its flag does not announce is zero.
 *
 * The body of a tensor begins with its shape; the elements begin at the next
 * multiple of 8 bytes, counted from the begin of the frame:
 *
 *   byte 32       33       34         36
 *   ┌────────────┬────────┬──────────┬───────────────────┬──────┬──────────┐
 *   │ element    │ rank   │ reserved │ dimensions        │ zero │ elements │
 *   │ type uint8 │ uint8  │ zero     │ uint32 each       │      │          │
 *   └────────────┴────────┴──────────┴───────────────────┴──────┴──────────┘
 */

export const frameHeaderBytes = 32;

const frameMagic = 0xc7;
/** The first byte after the magic; a frame of another layout has another. */
const frameVersion = 2;
/** Magic and version as the lower half of the first word. */
export const frameMark = frameMagic | (frameVersion << 8);

/**
 * Offsets of the words of the header, in bytes. A header is written and read
 * word by word: a field of 8 or 16 bits is a part of its word.
 */
export const addressWord = 4;
export const correlationWord = 8;
export const sequenceWord = 12;
export const causeSequenceWord = 16;
export const kindsWord = 20;
export const bodyLengthWord = 24;
export const sentAtWord = 28;

export const sentAtFlag = 1;
export const causeFlag = 2;
export const knownFlags = sentAtFlag | causeFlag;

/** The position of a name is its code on the wire: append only. */
export const frameTypes = ['message', 'request', 'reply', 'error-reply'] as const;
export const bodyKinds = ['none', 'value', 'bytes', 'tensor', 'arena'] as const;

export const typeCodes = codesOf(frameTypes);
export const kindCodes = codesOf(bodyKinds);

function codesOf<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
  const codes = names.map((name, code) => [name, code]);
  return Object.fromEntries(codes) as Record<Name, number>; // It has every name.
}

/** Offsets inside the body of a tensor. */
export const rankOffset = 1;
export const reservedOffset = 2;
export const dimensionsOffset = 4;
export const dimensionBytes = 4;

/** Elements begin at a multiple of this many bytes from the begin of the frame. */
export const elementAlignment = 8;

/** Bytes from the begin of a tensor's body to its elements. */
export function tensorHeadBytes(rank: number): number {
  const end = dimensionsOffset + rank * dimensionBytes;
  // The header is a multiple of the alignment, so aligning inside the body is enough.
  return Math.ceil(end / elementAlignment) * elementAlignment;
}
