/**
 * States of sequences on disk: what an agent had read, while others use its
 * place. The file is llama.cpp's own, and a damaged or foreign one can end the
 * process, so nothing is loaded that was not written here, for this model and
 * context, and that is not still the same bytes.
 *
 * Invariants
 *   F1. A state is loaded only when its file has the length and checksum that it
 *       was written with; any other is thrown away, and its tokens are read again.
 *   F2. Files and bytes are bounded; the states that were used longest ago go first.
 *   F3. What a state holds can be read back as text, so files are the user's alone and go at
 *       the end; whoever gives the folder removes what a killed process left there.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { LlamaContextSequence, Token } from 'node-llama-cpp';
import { limits } from '../kernel/limits.ts';
import type { SequenceState } from './reuse-policy.ts';
import type { OwnedState, StateStore } from './sequence-pool.ts';

const readBytes = 4 * 1024 * 1024;

/** The part of a sequence that writes and reads its state. */
export type StoredSequence = Pick<
  LlamaContextSequence,
  'saveStateToFile' | 'loadStateFromFile' | 'clearHistory' | 'contextTokens'
>;

interface StateFile extends OwnedState<Token> {
  readonly path: string;
  readonly bytes: number;
  readonly checksum: number;
}

export class StateFiles implements StateStore<Token, StoredSequence> {
  readonly #folder: string;
  readonly #bytesMax: number;
  /** Used longest ago first. */
  #files: StateFile[] = [];
  #made = 0;
  #refused = 0;

  /** @param parent Where a folder for these files is made, which goes at the end. */
  constructor(parent: string, bytesMax: number = limits.stateFilesBytesMax) {
    this.#bytesMax = bytesMax;
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    this.#folder = mkdtempSync(join(parent, 'model-'));
  }

  get states(): readonly SequenceState<Token>[] {
    return this.#files;
  }

  /** `refused`: states that were not as they were written. */
  get usage(): { files: number; bytes: number; refused: number } {
    const bytes = this.#files.reduce((sum, file) => sum + file.bytes, 0);
    return { files: this.#files.length, bytes, refused: this.#refused };
  }

  /** A state that cannot be written is read again later, so that is no failure. */
  async save(sequence: StoredSequence, state: OwnedState<Token>): Promise<void> {
    this.#made += 1;
    const path = join(this.#folder, `${this.#made}.kv`);
    try {
      await sequence.saveStateToFile(path);
      this.#files.push({ ...state, path, ...(await checksumOf(path)) });
    } catch {
      await rm(path, { force: true });
      return;
    }
    // What only begins like the new one is of no more use.
    const begun = this.#files.filter((file) => isBeginning(file, state));
    await this.#remove(begun);
    await this.#removeOldest();
  }

  async load(sequence: StoredSequence, state: SequenceState<Token>): Promise<boolean> {
    const file = this.#files.find((each) => each === state);
    if (file === undefined) return false;
    try {
      const { bytes, checksum } = await checksumOf(file.path);
      if (bytes === file.bytes && checksum === file.checksum) {
        await sequence.loadStateFromFile(file.path, { acceptRisk: true }); // (F1)
        this.#files = [...this.#files.filter((each) => each !== file), file];
        return true;
      }
    } catch {
      // Whatever it was: the tokens are known, and are read again.
    }
    this.#refused += 1;
    await this.#remove([file]);
    await sequence.clearHistory();
    return false;
  }

  async forget(owner: string): Promise<void> {
    await this.#remove(this.#files.filter((file) => file.owner === owner));
  }

  close(): void {
    this.#files = []; // (F3)
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** (F2) */
  async #removeOldest(): Promise<void> {
    let { files, bytes } = this.usage;
    const excess = this.#files.filter((file) => {
      if (files <= limits.stateFilesMax && bytes <= this.#bytesMax) return false;
      files -= 1;
      bytes -= file.bytes;
      return true;
    });
    await this.#remove(excess);
  }

  async #remove(files: readonly StateFile[]): Promise<void> {
    this.#files = this.#files.filter((file) => !files.includes(file));
    await Promise.all(files.map(({ path }) => rm(path, { force: true })));
  }
}

function isBeginning(file: StateFile, state: SequenceState<Token>): boolean {
  if (file.tokens === state.tokens || file.tokens.length > state.tokens.length) return false;
  if (file.read > state.read) return false;
  return file.tokens.every((token, index) => token === state.tokens[index]);
}

async function checksumOf(path: string): Promise<{ bytes: number; checksum: number }> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(readBytes);
    let bytes = 0;
    let checksum = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, readBytes, bytes);
      if (bytesRead === 0) return { bytes, checksum };
      checksum = crc32(buffer.subarray(0, bytesRead), checksum);
      bytes += bytesRead;
    }
  } finally {
    await file.close();
  }
}
