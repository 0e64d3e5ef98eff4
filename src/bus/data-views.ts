/**
 * Views for reading and writing whole words of buffers. A view costs more than
 * the frame that is read through it, and nearly every frame lies in the same
 * buffer as the one before: so the latest view is kept.
 */
export class DataViews {
  #bytes: Buffer = Buffer.alloc(0);
  #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, 0);

  /** A view of all bytes of the buffer. */
  of(bytes: Buffer): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    return this.#view;
  }
}
