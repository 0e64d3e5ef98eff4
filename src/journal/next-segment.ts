/**
 * What the next segment begins with, decided from the groups of the present one.
 *
 * Zeros that are there before spare each fdatasync the allocation of room, but
 * they are bytes that the disk has to write, too. Small groups get them, made in
 * time by a `SegmentPreparation`. In a burst, whose groups are large, they would
 * take half of the disk: its segments begin as holes (S4).
 */
import type { FilePort } from './file-port.ts';
import { type SegmentFilling, unfinishedPath } from './segment.ts';
import { SegmentPreparation } from './segment-preparation.ts';

export class NextSegment {
  readonly #files: FilePort;
  readonly #path: string;
  readonly #bytes: number;
  readonly #burstGroupBytes: number;
  #groups = 0;
  #groupBytes = 0;
  #preparation: SegmentPreparation | null = null;

  /**
   * @param options Size of the next segment, and from how many bytes a group on, on
   *   average, it gets no zeros.
   */
  constructor(
    files: FilePort,
    folder: string,
    { bytes, burstGroupBytes }: { bytes: number; burstGroupBytes: number },
  ) {
    this.#files = files;
    this.#path = unfinishedPath(folder);
    this.#bytes = bytes;
    this.#burstGroupBytes = burstGroupBytes;
  }

  /** Notes a group of the present segment, a quarter of which is used or not yet. */
  groupWritten(bytes: number, quarterUsed: boolean): void {
    this.#groups += 1;
    this.#groupBytes += bytes;
    if (this.#preparation !== null || !quarterUsed || this.#inBurst()) return;
    this.#preparation = new SegmentPreparation(this.#files, this.#path, this.#bytes);
  }

  /** What the next segment begins with, now; the one after it is decided anew. */
  take(): SegmentFilling {
    const prepared = this.#preparation?.take() ?? null;
    this.#preparation = null;
    const filling = this.#inBurst() ? 'hole' : 'zeros';
    this.#groups = 0;
    this.#groupBytes = 0;
    return prepared === null ? filling : { prepared };
  }

  /** There is no next segment. */
  abandon(): void {
    this.#preparation?.abandon();
    this.#preparation = null;
  }

  #inBurst(): boolean {
    return this.#groups > 0 && this.#groupBytes >= this.#groups * this.#burstGroupBytes;
  }
}
