/**
 * The content of one file: bytes that may be added to. The room doubles, so
 * that appending a file piece by piece costs what the file costs, not its
 * square; a script chooses the pieces.
 */
export class GrowingBytes {
  #room: Buffer;
  #length: number;
  /** Whether the room belongs to this file alone. Content of a mount is shared and never written. */
  #own: boolean;

  constructor(bytes: Buffer, options: { readonly shared: boolean }) {
    this.#room = bytes;
    this.#length = bytes.length;
    this.#own = !options.shared;
  }

  get length(): number {
    return this.#length;
  }

  /** The content, valid until the next append; whoever keeps it copies it. */
  get view(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  append(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (!this.#own || length > this.#room.length) {
      const room = Buffer.alloc(Math.max(length, this.#length * 2));
      this.view.copy(room);
      this.#room = room;
      this.#own = true;
    }
    bytes.copy(this.#room, this.#length);
    this.#length = length;
  }
}
