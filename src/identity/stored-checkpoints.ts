/**
 * Checkpoints as files: one note for each size, named by it, in a folder. The
 * log keeps its own so, and a witness those that it cosigned.
 *
 * Invariants
 *   P1. A note appears with its whole content, and durably.
 *   P2. There are at most `limits.auditCheckpointsMax`; beyond, every second one
 *       of the older half goes, and a later one stands for what it said. The
 *       newest stays.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFilePort } from '../journal/file-port.ts';
import { replaceFile, tryReadFile } from '../journal/whole-file.ts';
import { writeFailure } from '../journal/write-failure.ts';
import { limits } from '../kernel/limits.ts';

const namePattern = /^(\d{16})\.note$/;

export class StoredCheckpoints {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Sizes of the notes that are there, ascending. */
  sizes(): number[] {
    return nodeFilePort
      .list(this.folder)
      .flatMap((name) => Number(namePattern.exec(name)?.[1] ?? Number.NaN))
      .filter(Number.isSafeInteger)
      .sort((left, right) => left - right);
  }

  pathOf(size: number): string {
    return join(this.folder, nameOf(size));
  }

  /** The note of that size, or null. Bytes that are no UTF-8 become U+FFFD, which no note has. */
  read(size: number): string | null {
    return tryReadFile(nodeFilePort, this.pathOf(size))?.toString('utf8') ?? null;
  }

  /** @throws RuntimeError DISK_FULL, JOURNAL_FAILED */
  write(size: number, note: string): void {
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      replaceFile(nodeFilePort, this.folder, nameOf(size), Buffer.from(note)); // (P1)
      this.#thin();
    } catch (error) {
      throw writeFailure(error);
    }
  }

  /** (P2) */
  #thin(): void {
    const sizes = this.sizes();
    if (sizes.length <= limits.auditCheckpointsMax) return;
    const older = sizes.slice(0, Math.floor(sizes.length / 2));
    for (const [index, size] of older.entries()) {
      if (index % 2 === 1) nodeFilePort.unlink(this.pathOf(size));
    }
  }
}

function nameOf(size: number): string {
  return `${String(size).padStart(16, '0')}.note`;
}
