/**
 * Memory accesses that are wrong on purpose, each as a mistake in the ring
 * would make them. An explorer that does not find them proves nothing.
 */
import { headPosition, intentWordOf, ringLayoutOf } from '../../src/bus/ring-buffer-descriptor.ts';
import type { Port } from './ring-interleavings-course.ts';
import type { Setting } from './ring-interleavings-programs.ts';
import { SteppedWords } from './ring-interleavings-words.ts';

type FaultyWords = (port: Port, setting: Setting) => SteppedWords;

interface HeldBack {
  readonly word: number;
  readonly value: number;
}

/** The intent is named only after the claim. */
export const lateIntent: FaultyWords = (port, { memory, producers }) => {
  const intents = producers.flatMap((producer) => [
    intentWordOf(producer),
    intentWordOf(producer) + 1,
  ]);
  return new LateIntentWords(memory, port, { producers, intents });
};

class LateIntentWords extends SteppedWords {
  readonly #intents: readonly number[];
  #held: HeldBack[] = [];

  constructor(
    memory: SharedArrayBuffer,
    port: Port,
    options: { readonly producers: readonly number[]; readonly intents: readonly number[] },
  ) {
    super(memory, port, options.producers);
    this.#intents = options.intents;
  }

  override write(word: number, value: number): void {
    if (this.#intents.includes(word)) this.#held.push({ word, value });
    else super.write(word, value);
  }

  override store(word: number, value: number): void {
    if (this.#intents.includes(word)) this.#held.push({ word, value });
    else super.store(word, value);
  }

  override compareExchangePosition(index: number, expected: bigint, next: bigint): bigint {
    const found = super.compareExchangePosition(index, expected, next);
    for (const { word, value } of this.#held.splice(0)) super.write(word, value);
    return found;
  }
}

/** Consumed records are cleared only after the head that frees them is published. */
export const lateClear: FaultyWords = (port, { memory, producers }) =>
  new LateClearWords(memory, port, producers);

class LateClearWords extends SteppedWords {
  readonly #entriesWord: number;
  #held: HeldBack[] = [];

  constructor(memory: SharedArrayBuffer, port: Port, producers: readonly number[]) {
    super(memory, port, producers);
    this.#entriesWord = ringLayoutOf(memory).entriesWord;
  }

  override write(word: number, value: number): void {
    // Producers write lengths and types of zero as well, but they never store a head.
    if (word >= this.#entriesWord && value === 0) this.#held.push({ word, value });
    else super.write(word, value);
  }

  override storePosition(index: number, value: bigint): void {
    super.storePosition(index, value);
    if (index !== headPosition) return;
    for (const held of this.#held.splice(0)) super.write(held.word, held.value);
  }
}

/** The claim compares and exchanges in two steps. */
export const tornClaim: FaultyWords = (port, { memory, producers }) =>
  new TornClaimWords(memory, port, producers);

class TornClaimWords extends SteppedWords {
  override compareExchangePosition(index: number, expected: bigint, next: bigint): bigint {
    const found = super.loadPosition(index);
    if (found === expected) super.storePosition(index, next);
    return found;
  }
}
