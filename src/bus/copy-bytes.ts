/** Up to this length a loop beats the fixed cost of a call into the engine. */
const loopBytesMax = 32;

/** Copies `lengthBytes` between buffers; the caller has checked both ranges. */
export function copyBytes(
  from: Uint8Array,
  to: { readonly bytes: Buffer; readonly offset: number },
  lengthBytes: number,
): void {
  if (lengthBytes > loopBytesMax) {
    Buffer.prototype.copy.call(from, to.bytes, to.offset, 0, lengthBytes);
    return;
  }
  for (let index = 0; index < lengthBytes; index += 1) {
    to.bytes[to.offset + index] = from[index] ?? 0;
  }
}
