/**
 * Copies into shared memory, by the faster of two ways. V8 copies between
 * buffers that are equally aligned in one piece and others byte by byte;
 * `Buffer.copy` never does the latter, but costs twice as much to begin.
 */

const shortBytes = 64;
const mediumBytes = 1_536;
const alignedBytes = 8;

/** Copies all of `from` to `offset` of `to`; the caller has made sure that it fits. */
export function copyBytes(from: Uint8Array, to: Buffer, offset: number): void {
  const { length } = from;
  const skew = (from.byteOffset - to.byteOffset - offset) % alignedBytes;
  if (length <= shortBytes || (length <= mediumBytes && skew === 0)) {
    to.set(from, offset);
  } else {
    Buffer.prototype.copy.call(from, to, offset, 0, length);
  }
}
