/**
 * Whether guessing tokens ahead pays on this machine: both ways are tried in turns, and
 * the faster one is kept, with a try of the other now and then. Pure: it is told
 * what was measured.
 *
 * Invariants
 *   G1. Guessing stays on only while it was the faster of the two when both were measured last.
 */

/** Generations that are compared of each way. */
const comparedMax = 8;
/** A shorter answer says nothing about speed. */
const tokensMin = 8;
/** One generation of so many tries the way that was slower. */
const retriesEvery = 32;

export interface MeasuredGeneration {
  readonly guessed: boolean;
  readonly tokens: number;
  /** Time in which they were sampled. */
  readonly ms: number;
}

export class SpeculationGate {
  /** Tokens per second, the latest last. */
  readonly #plain: number[] = [];
  readonly #guessing: number[] = [];
  #generations = 0;

  /** Whether the next generation shall guess. */
  next(): boolean {
    this.#generations += 1;
    if (this.#guessing.length < comparedMax || this.#plain.length < comparedMax) {
      return this.#guessing.length < this.#plain.length;
    }
    const faster = this.isFaster;
    return this.#generations % retriesEvery === 0 ? !faster : faster; // (G1)
  }

  /** False until both were measured. */
  get isFaster(): boolean {
    const measured = this.#plain.length >= comparedMax && this.#guessing.length >= comparedMax;
    return measured && median(this.#guessing) > median(this.#plain);
  }

  /** Tokens per second of both ways, in the middle; null before the first. */
  get perSecond(): { readonly plain: number | null; readonly guessing: number | null } {
    const middle = (measured: readonly number[]) =>
      measured.length === 0 ? null : median(measured);
    return { plain: middle(this.#plain), guessing: middle(this.#guessing) };
  }

  record({ guessed, tokens, ms }: MeasuredGeneration): void {
    if (tokens < tokensMin || ms <= 0) return;
    const measured = guessed ? this.#guessing : this.#plain;
    measured.push((tokens * 1_000) / ms);
    if (measured.length > comparedMax) measured.shift();
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [below = 0, above = 0] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? above : (below + above) / 2;
}
