/**
 * The content of one file: bytes that may be added to. The room doubles, so
 * that appending a file piece by piece costs what the file costs, not its
 * square; a script chooses the pieces.
 */
export class GrowingBytes {
  #room: Buffer;
  #length: number;

  /** The bytes that are given stay as they are: an append needs more room than they have, and copies. */
  constructor(bytes: Buffer) {
    this.#room = bytes;
    this.#length = bytes.length;
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
    if (length > this.#room.length) {
      const room = Buffer.alloc(Math.max(length, this.#length * 2));
      this.view.copy(room);
      this.#room = room;
    }
    bytes.copy(this.#room, this.#length);
    this.#length = length;
  }
}
