/**
 * The part of a segment around the record that was read last, so that records
 * which are read one after the other cost one read of the file for many.
 *
 * Invariants
 *   W1. It holds only bytes before `end`, which the caller knows never to change.
 *   W2. It reads ahead only behind what it holds; whoever jumps reads little.
 */
import { type FilePort, readFully } from './file-port.ts';

const jumpBytes = 4 * 1024;
const aheadBytes = 64 * 1024;

export interface WindowPlace {
  readonly segment: number;
  /** Descriptor of the segment's file. */
  readonly file: number;
  /** Offset in the file. */
  readonly offset: number;
  /** Offset in the file behind the last byte that may be read. */
  readonly end: number;
}

export class RecordWindow {
  readonly #files: FilePort;
  #bytes = Buffer.alloc(0);
  #held = { segment: 0, start: 0, end: 0 };

  constructor(files: FilePort) {
    this.#files = files;
  }

  /**
   * The bytes from the place on, `length` of them or more, valid until the next call; null
   * where the file or what may be read of it is shorter.
   */
  from(place: WindowPlace, length: number): Buffer | null {
    const { segment, offset, end } = place;
    if (!this.#holds(segment, offset, length)) {
      const wanted = Math.max(length, this.#follows(segment, offset) ? aheadBytes : jumpBytes);
      this.#fill(place, Math.min(wanted, end - offset));
      if (!this.#holds(segment, offset, length)) return null;
    }
    return this.#bytes.subarray(offset - this.#held.start, this.#held.end - this.#held.start);
  }

  #holds(segment: number, offset: number, length: number): boolean {
    const { segment: held, start, end } = this.#held;
    return held === segment && start <= offset && offset + length <= end;
  }

  /** Whether the place lies in what is held, or so close behind that it would be read ahead. (W2) */
  #follows(segment: number, offset: number): boolean {
    const { segment: held, start, end } = this.#held;
    return held === segment && start <= offset && offset - end < aheadBytes;
  }

  #fill({ segment, file, offset }: WindowPlace, bytes: number): void {
    const length = Math.max(0, bytes);
    if (this.#bytes.length < length) this.#bytes = Buffer.allocUnsafeSlow(length);
    this.#held = { segment: 0, start: 0, end: 0 };
    const range = { offset: 0, length, position: offset };
    const read = readFully(this.#files, file, this.#bytes, range);
    this.#held = { segment, start: offset, end: offset + read };
  }
}
