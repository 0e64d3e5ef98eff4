/**
 * How much memory a model file will take, and how much of it all models together may.
 *
 * Invariants
 *   Y1. What is taken stays counted until it is given back, whatever happens to its model.
 *   Y2. Whoever waits for room hears of every change.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { inspectModelFile } from './gguf-file.ts';
import { windowOf } from './load-llama.ts';
import type { ModelSettings } from './open-model.ts';

const mebibyte = 1024 * 1024;

/** An estimate: weights as large as the file, and keys and values of every sequence once its window has grown. */
export interface ModelSize {
  readonly bytes: number;
  readonly parameters: number | null;
  readonly contextTokens: number | null;
}

/** @throws RuntimeError MODEL_NOT_FOUND, MODEL_INVALID, NATIVE_PACKAGE_MISSING */
export async function measureModel(settings: ModelSettings): Promise<ModelSize> {
  if (settings.baseUrl !== undefined) return { bytes: 0, parameters: null, contextTokens: null };
  const path = settings.modelFile ?? settings.embeddedModelFile;
  const file = await inspectModelFile(path, await import('node-llama-cpp'));
  const { max: contextTokens } = windowOf(file.contextTokens, settings.contextTokens ?? {});
  const { sequences = limits.sequencesDefault } = settings;
  return {
    bytes: file.weightsBytes + file.valueBytesPerToken * contextTokens * sequences,
    parameters: file.parameters,
    contextTokens,
  };
}

export class ModelMemory {
  /** Null: without end. */
  readonly capMb: number | null;
  #used = 0;
  #changed = Promise.withResolvers<void>();

  /** @param capMb mebibytes that all models together may take */
  constructor(capMb: number | null) {
    this.capMb = capMb;
  }

  /** Whether so many bytes have room, once `freed` of those in use are given back. */
  fits(bytes: number, freed = 0): boolean {
    return this.capMb === null || this.#used - freed + bytes <= this.capMb * mebibyte;
  }

  /** Whether they would, were there nothing else. */
  couldFit(bytes: number): boolean {
    return this.fits(bytes, this.#used);
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
    assert(this.#used >= 0, 'only what was taken is given back'); // (Y1)
    this.notify();
  }

  /** Something has changed that may make room (Y2). */
  notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Resolves at the next change. */
  changed(): Promise<void> {
    return this.#changed.promise;
  }
}
