/**
 * The leaf hashes of the journal, `audit/leaves`: 32 bytes for each record, in
 * order. As long as all of the journal is there they can be computed again; once
 * its beginning was dropped they stand for it.
 *
 * Invariants
 *   H1. Bytes are only ever added. What a crash left of a hash is cut by the next
 *       writer, and only that.
 *   H2. Memory holds one chunk, whatever the file has.
 */
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { auditFolder } from './data-folders.ts';
import { errorNumber, nodeFilePort, readFully } from './file-port.ts';
import { type RangeHash, rangeHash, treeHashBytes } from './merkle-tree.ts';
import { writeFailure } from './write-failure.ts';

/** One signed note for each checkpoint, named by its size. */
export function checkpointsFolder(dataDirectory: string): string {
  return join(auditFolder(dataDirectory), 'checkpoints');
}

export function leavesPath(dataDirectory: string): string {
  return join(auditFolder(dataDirectory), 'leaves');
}

/** Takes from a copy of the audit what concerns records behind `lastSequence`. Throws what the file system throws. */
export function trimAudit(dataDirectory: string, lastSequence: number): void {
  const path = leavesPath(dataDirectory);
  if (existsSync(path)) {
    const whole = Math.floor(statSync(path).size / treeHashBytes);
    truncateSync(path, Math.min(whole, lastSequence) * treeHashBytes);
  }
  const folder = checkpointsFolder(dataDirectory);
  for (const name of nodeFilePort.list(folder)) {
    if (Number.parseInt(name, 10) > lastSequence) unlinkSync(join(folder, name));
  }
}

export class LeafFile {
  readonly #file: number | null;
  #count: number;
  /** Bytes behind the last whole hash. */
  readonly torn: number;
  readonly #chunk = Buffer.allocUnsafe(limits.auditLeafChunkBytes);
  #chunkStart = 0;
  #chunkCount = 0;

  /** Opens the leaves as they are now; without a file there are none. */
  static read(dataDirectory: string): LeafFile {
    try {
      return new LeafFile(openSync(leavesPath(dataDirectory), 'r'));
    } catch (error) {
      if (errorNumber(error) === 'ENOENT') return new LeafFile(null);
      throw error;
    }
  }

  /**
   * Opens the leaves to add to them (H1). The caller owns the data directory.
   * @throws RuntimeError DISK_FULL, JOURNAL_FAILED
   */
  static append(dataDirectory: string): LeafFile {
    try {
      mkdirSync(auditFolder(dataDirectory), { recursive: true, mode: 0o700 });
      const flags = constants.O_RDWR | constants.O_CREAT;
      const file = openSync(leavesPath(dataDirectory), flags, 0o600);
      const leaves = new LeafFile(file);
      if (leaves.torn > 0) ftruncateSync(file, leaves.count * treeHashBytes);
      nodeFilePort.syncFolder(auditFolder(dataDirectory));
      return leaves;
    } catch (error) {
      throw writeFailure(error);
    }
  }

  private constructor(file: number | null) {
    this.#file = file;
    const bytes = file === null ? 0 : fstatSync(file).size;
    this.#count = Math.floor(bytes / treeHashBytes);
    this.torn = bytes % treeHashBytes;
  }

  /** Number of whole hashes. */
  get count(): number {
    return this.#count;
  }

  /** Hash of the leaf `index`, which is valid until the next call. */
  at(index: number): Buffer {
    assert(index >= 0 && index < this.#count && this.#file !== null, 'the leaf is there');
    const known = index - this.#chunkStart;
    if (known < 0 || known >= this.#chunkCount) {
      const length = Math.min(this.#chunk.length, (this.#count - index) * treeHashBytes); // (H2)
      const place = { offset: 0, length, position: index * treeHashBytes };
      const read = readFully(nodeFilePort, this.#file, this.#chunk, place);
      this.#chunkStart = index;
      this.#chunkCount = Math.floor(read / treeHashBytes);
      assert(this.#chunkCount > 0, 'a file that only grows has what it had');
    }
    const start = (index - this.#chunkStart) * treeHashBytes;
    return this.#chunk.subarray(start, start + treeHashBytes);
  }

  /** Roots of ranges of the leaves, read from the file. */
  get range(): RangeHash {
    return rangeHash((index) => Buffer.from(this.at(index)));
  }

  /**
   * Adds hashes, durably.
   * @throws RuntimeError DISK_FULL, JOURNAL_FAILED
   */
  add(hashes: readonly Buffer[]): void {
    if (hashes.length === 0) return;
    assert(this.#file !== null, 'the file is open for writing');
    const bytes = Buffer.concat(hashes);
    try {
      for (let done = 0; done < bytes.length; ) {
        const position = this.#count * treeHashBytes + done;
        done += writeSync(this.#file, bytes, done, bytes.length - done, position);
      }
      fdatasyncSync(this.#file);
    } catch (error) {
      throw writeFailure(error);
    }
    this.#count += hashes.length;
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
  }
}
