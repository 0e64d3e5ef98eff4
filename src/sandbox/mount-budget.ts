/** What a set of files may hold together, counted while it is read. */
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

/** @returns RuntimeError SANDBOX_MOUNT_INVALID */
export function mountFault(what: string, cause?: unknown): RuntimeError {
  return new RuntimeError('SANDBOX_MOUNT_INVALID', what, { cause });
}

export interface BudgetOptions {
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** Makes the error of whatever is refused, from a sentence. */
  readonly fault: (what: string) => RuntimeError;
}

export class MountBudget {
  /** Makes the error of whatever is refused. */
  readonly fault: (what: string) => RuntimeError;
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  #entries = 0;
  #bytes = 0;

  /** That of all mounts of one execution, unless other bounds are given. */
  constructor(options?: BudgetOptions) {
    this.#entriesMax = options?.entriesMax ?? limits.sandboxMountFilesMax;
    this.#bytesMax = options?.bytesMax ?? limits.sandboxMountBytesMax;
    this.fault = options?.fault ?? mountFault;
  }

  get entriesMax(): number {
    return this.#entriesMax;
  }

  /** Bytes that are left. */
  get bytesLeft(): number {
    return this.#bytesMax - this.#bytes;
  }

  /** @throws RuntimeError of `fault` at one entry too many. */
  addEntry(entry: string): void {
    this.#entries += 1;
    if (this.#entries <= this.#entriesMax) return;
    throw this.fault(`There are more than ${this.#entriesMax} entries (at ${entry}).`);
  }

  /** @throws RuntimeError of `fault` when the bytes are more than are left. */
  addBytes(bytes: number, entry: string): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#bytesMax) return;
    throw this.fault(`All files together are larger than ${this.#bytesMax} bytes (at ${entry}).`);
  }
}
