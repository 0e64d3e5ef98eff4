/**
 * A model in memory, or on its way there, and how many generations hold it.
 *
 * Invariants
 *   I1. It is closed only when nobody holds it, or when all end.
 *   I2. Its bytes are counted from before the load until after the close.
 */
import { assert } from '../kernel/assert.ts';
import type { ModelMemory } from './model-memory.ts';
import type { ModelInfo, ModelPort } from './model-port.ts';

export class ModelInstance {
  readonly bytes: number;
  /** Rejects with what the load has thrown. */
  readonly port: Promise<ModelPort>;
  readonly #memory: ModelMemory;
  #info: ModelInfo | null = null;
  #holders = 0;
  #retired = false;
  #closing: Promise<void> | null = null;
  readonly #closed = Promise.withResolvers<void>();

  /** Begins to load. */
  constructor(bytes: number, memory: ModelMemory, open: () => Promise<ModelPort>) {
    this.bytes = bytes;
    this.#memory = memory;
    memory.take(bytes); // (I2)
    this.port = open();
    this.port.then(
      (port) => {
        this.#info = port.info;
        memory.notify();
      },
      () => memory.give(bytes),
    );
  }

  /** Null until it is loaded. */
  get info(): ModelInfo | null {
    return this.#info;
  }

  /** Resolves once it is closed and its memory free. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get holders(): number {
    return this.#holders;
  }

  /** Loaded, and nobody holds it. */
  get idle(): boolean {
    return this.#info !== null && this.#holders === 0 && this.#closing === null;
  }

  hold(): void {
    assert(!this.#retired, 'who retires takes nobody on');
    this.#holders += 1;
  }

  release(): void {
    assert(this.#holders > 0, 'who releases held it');
    this.#holders -= 1;
    if (this.#retired && this.#holders === 0) void this.close();
    this.#memory.notify();
  }

  /** Nobody takes it any more; it closes when the last who holds it releases it (I1). */
  retire(): void {
    this.#retired = true;
    if (this.#holders === 0) void this.close();
  }

  /** Closes it, whoever holds it; resolves once its memory is free. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const port = await this.port.catch(() => null);
    // A load that failed has given its memory back.
    if (port === null) return;
    await port.close();
    this.#memory.give(this.bytes); // (I2)
    this.#closed.resolve();
  }
}
