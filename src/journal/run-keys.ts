/**
 * The keys of all runs, one file each. A run whose file is gone cannot be read
 * any more, by anybody: that is how a run is erased.
 *
 * Invariants
 *   R1. The keys are on the disk before the first record of their run.
 *   R2. Memory holds at most `limits.runKeysCachedMax` of them.
 *   R3. Keys have their name only while they are whole: what is overwritten is none.
 */
import { mkdirSync } from 'node:fs';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { keyPath, keysFolder } from './data-folders.ts';
import { errorNumber, type FilePort, nodeFilePort, writeFully } from './file-port.ts';
import { RunCipher } from './run-cipher.ts';
import { tryReadFile } from './whole-file.ts';
import { writeFailure } from './write-failure.ts';

export class RunKeys {
  readonly #dataDirectory: string;
  readonly #files: FilePort;
  readonly #known = new Map<RunId, RunCipher | null>();

  constructor(dataDirectory: string, files: FilePort = nodeFilePort) {
    this.#dataDirectory = dataDirectory;
    this.#files = files;
  }

  /** The keys, or null where the run has none: it is erased, or older than keys are; or they are damaged. */
  find(run: RunId): RunCipher | null {
    const known = this.#known.get(run);
    if (known !== undefined) return known;
    const bytes = tryReadFile(this.#files, keyPath(this.#dataDirectory, run));
    const cipher = bytes === null ? null : RunCipher.tryFromBytes(bytes);
    return this.remember(run, cipher?.run === run ? cipher : null);
  }

  /**
   * New keys, durable when this returns (R1).
   * @param parent The run that this one is a fork of.
   * @throws RuntimeError DISK_FULL, JOURNAL_FAILED
   */
  create(run: RunId, parent: RunId | null = null): RunCipher {
    const from = parent === null ? null : this.find(parent);
    return this.store(RunCipher.create(run, from));
  }

  /**
   * Writes keys that were made elsewhere.
   * @throws RuntimeError DISK_FULL, JOURNAL_FAILED
   */
  store(cipher: RunCipher): RunCipher {
    const path = keyPath(this.#dataDirectory, cipher.run);
    try {
      mkdirSync(keysFolder(this.#dataDirectory), { recursive: true, mode: 0o700 });
      writeOver(this.#files, path, 'wx', cipher.toBytes());
      this.#files.syncFolder(keysFolder(this.#dataDirectory));
    } catch (error) {
      // What was there before stays: nothing could be read without it.
      if (errorNumber(error) !== 'EEXIST') this.#tryUnlink(path);
      throw writeFailure(error);
    }
    return this.remember(cipher.run, cipher);
  }

  /** Takes keys that no file has, such as those in an archive. */
  remember<Cipher extends RunCipher | null>(run: RunId, cipher: Cipher): Cipher {
    if (this.#known.size >= limits.runKeysCachedMax) this.#known.clear(); // (R2)
    this.#known.set(run, cipher);
    return cipher;
  }

  forget(run: RunId): void {
    this.#known.delete(run);
  }

  /**
   * Overwrites the keys and removes them, durably; does nothing where there are none.
   * @throws RuntimeError DISK_FULL, JOURNAL_FAILED
   */
  erase(run: RunId): void {
    this.#known.set(run, null);
    const path = keyPath(this.#dataDirectory, run);
    const folder = keysFolder(this.#dataDirectory);
    const taken = `${path}.erased`; // (R3)
    const files = this.#files;
    try {
      if (files.list(folder).includes(run)) {
        files.rename(path, taken);
        files.syncFolder(folder);
      }
      const length = tryReadFile(files, taken)?.length;
      if (length === undefined) return;
      writeOver(files, taken, 'r+', Buffer.alloc(length));
      files.unlink(taken);
      files.syncFolder(folder);
    } catch (error) {
      throw writeFailure(error);
    }
  }

  #tryUnlink(path: string): void {
    try {
      this.#files.unlink(path);
    } catch {
      // It was never made, or whoever starts next finds keys of no run.
    }
  }
}

function writeOver(files: FilePort, path: string, mode: 'wx' | 'r+', bytes: Buffer): void {
  const file = files.open(path, mode);
  try {
    writeFully(files, file, bytes, { offset: 0, length: bytes.length, position: 0 });
    files.fdatasync(file);
  } finally {
    files.close(file);
  }
}
