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
 *   N2. A file with zeros still under way is never closed here, because its
 *       number could then mean another file. It is given up instead.
 *   N3. Whatever fails here fails nothing: the writer makes its segment itself.
 */
import type { FilePort } from './file-port.ts';

/** One piece of untouched memory, which the system maps to its single page of zeros. */
let zeros: Buffer = Buffer.alloc(0);

export class SegmentPreparation {
  readonly #files: FilePort;
  readonly #path: string;
  readonly #bytes: number;
  #file: number | null = null;
  #flushing = false;
  #failed = false;

  /** Starts zeroing `bytes` of a new file at `path`. */
  constructor(files: FilePort, path: string, bytes: number) {
    this.#files = files;
    this.#path = path;
    this.#bytes = bytes;
    if (zeros.length < bytes) zeros = Buffer.alloc(bytes);
    try {
      this.#file = files.open(path, 'wx');
      files.writeInBackground(this.#file, zeros.subarray(0, bytes));
    } catch {
      this.#file = null; // (N3)
    }
  }

  /** Lets the disk take the zeros as soon as all are there. */
  flush(): void {
    if (this.#flushing || this.#file === null || !this.#isWhole(this.#file)) return;
    this.#flushing = true;
    this.#files.syncInBackground(this.#file, () => {
      this.#failed = true;
    });
  }

  /** The open, zeroed file for the next segment, or null when there is none (N1). */
  take(): number | null {
    const file = this.#file;
    this.#file = null;
    if (file !== null && !this.#failed && this.#isWhole(file)) return file;
    // The disk refused these zeros once; a later sync might call them good. One that is not
    // whole stays open, because a background write still has its number.
    if (file !== null && this.#failed) this.#files.close(file);
    this.#remove();
    return null;
  }

  /** Gives the file up. */
  abandon(): void {
    const file = this.take();
    if (file === null) return;
    this.#files.close(file);
    this.#remove();
  }

  #isWhole(file: number): boolean {
    return this.#files.size(file) === this.#bytes;
  }

  /** (N2) */
  #remove(): void {
    try {
      this.#files.unlink(this.#path);
    } catch {
      // It was never created.
    }
  }
}
