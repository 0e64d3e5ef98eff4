/** A seeded generator of choices: the same seed makes the same messages on every machine. */
import { assert } from '../../src/kernel/assert.ts';

export class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 inclusive to 1 exclusive (mulberry32). */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  one<T>(list: readonly T[]): T {
    const chosen = list[Math.floor(this.fraction() * list.length)];
    assert(chosen !== undefined, 'a choice needs a list that is not empty');
    return chosen;
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }
}
