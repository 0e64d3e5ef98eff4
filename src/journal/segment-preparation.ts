/**
 * Zeroes the next segment while the present one is being filled, on a thread
 * of Node's own pool, so that a roll-over costs the writer one small sync.
 *
 * The writer's thread stands in `Atomics.wait` and sees no callback; it looks
 * at the size of the file instead, which grows as the zeros arrive.
 *
 * Invariants
 *   N1. The file is used only at its full size: then every zero was written
 *       and none can fall on records later.
 *   N2. The zeros go through a descriptor of their own, whose writes reach the
 *       disk before they return. The kernel tells a failed write-back once to
 *       each descriptor that was open, so the writer's own descriptor, opened
 *       before, still tells it at the writer's own fdatasync (law D2).
 *   N3. While zeros may be under way their descriptor is not closed, because
 *       its number could then mean another file. It is given up instead.
 *   N4. Whatever fails here fails nothing: the writer makes its segment itself.
 */
import type { FilePort } from './file-port.ts';

/** One piece of untouched memory, which the system maps to its single page of zeros. */
let zeros: Buffer = Buffer.alloc(0);

export class SegmentPreparation {
  readonly #files: FilePort;
  readonly #path: string;
  readonly #bytes: number;
  /** For the writer. */
  #file: number | null = null;
  /** For the zeros (N2). */
  #background: number | null = null;

  /** Starts zeroing `bytes` of a new file at `path`. */
  constructor(files: FilePort, path: string, bytes: number) {
    this.#files = files;
    this.#path = path;
    this.#bytes = bytes;
    if (zeros.length < bytes) zeros = Buffer.alloc(bytes);
    try {
      this.#file = files.open(path, 'wx');
      this.#background = files.open(path, 'rs+');
      files.writeInBackground(this.#background, zeros.subarray(0, bytes));
    } catch {
      this.#giveUp(); // (N4)
    }
  }

  /** The open, zeroed file for the next segment, or null when there is none (N1). */
  take(): number | null {
    const file = this.#file;
    if (file === null || this.#files.size(file) !== this.#bytes) {
      this.#giveUp();
      return null;
    }
    this.#file = null;
    // The one write has begun long ago, so the system no longer looks at the number (N3).
    if (this.#background !== null) this.#files.close(this.#background);
    this.#background = null;
    return file;
  }

  /** Gives the file up. */
  abandon(): void {
    const file = this.take();
    if (file === null) return;
    this.#files.close(file);
    this.#remove();
  }

  #giveUp(): void {
    if (this.#file !== null) this.#files.close(this.#file);
    this.#file = null;
    this.#remove();
  }

  #remove(): void {
    try {
      this.#files.unlink(this.#path);
    } catch {
      // It was never created.
    }
  }
}
