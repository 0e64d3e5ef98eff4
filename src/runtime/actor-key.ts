/**
 * The 64 bits by which the directory knows an actor: HalfSipHash-1-3 of run and
 * id under a secret of the runtime. Names of actors come from pipelines and
 * documents; without the secret nobody can choose two that collide.
 *
 * Invariants
 *   K1. The low word is never 0 or 1, which mark free slots, and the high word
 *       never 0, which a slot has while it is not whole.
 */
import type { ActorId, RunId } from '../kernel/ids.ts';

/** Characters of a run's id, all of them in whole blocks. */
const blockCharacters = 4;

/** Hashes one actor after the other; the words of the last one stay until the next. */
export class ActorKey {
  readonly #secretLow: number;
  readonly #secretHigh: number;
  #run = '';
  #actor = '';
  /** The state behind the run's id. */
  #run0 = 0;
  #run1 = 0;
  #run2 = 0;
  #run3 = 0;
  #v0 = 0;
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;
  /** (K1) */
  low = 0;
  /** (K1) */
  high = 0;

  constructor(secretLow: number, secretHigh: number) {
    this.#secretLow = secretLow;
    this.#secretHigh = secretHigh;
  }

  /** Makes `low` and `high` those of this actor. */
  of(run: RunId, actor: ActorId): void {
    if (actor === this.#actor && run === this.#run) return;
    if (run !== this.#run) this.#begin(run);
    this.#actor = actor;
    this.#v0 = this.#run0;
    this.#v1 = this.#run1;
    this.#v2 = this.#run2;
    this.#v3 = this.#run3;
    this.#text(actor);
    this.#v2 ^= 0xee;
    this.#rounds(3);
    const low = this.#v1 ^ this.#v3;
    this.#v1 ^= 0xdd;
    this.#rounds(3);
    const high = this.#v1 ^ this.#v3;
    this.low = (low & ~1) === 0 ? 2 : low;
    this.high = high === 0 ? 1 : high;
  }

  #begin(run: RunId): void {
    this.#v0 = this.#secretLow;
    this.#v1 = this.#secretHigh ^ 0xee;
    this.#v2 = 0x6c796765 ^ this.#secretLow;
    this.#v3 = 0x74656462 ^ this.#secretHigh;
    this.#text(run);
    this.#run = run;
    this.#run0 = this.#v0;
    this.#run1 = this.#v1;
    this.#run2 = this.#v2;
    this.#run3 = this.#v3;
  }

  /** Both names are ASCII. */
  #text(text: string): void {
    const end = text.length;
    const whole = end - (end % blockCharacters);
    let v0 = this.#v0;
    let v1 = this.#v1;
    let v2 = this.#v2;
    let v3 = this.#v3;
    for (let at = 0; at <= end; at += blockCharacters) {
      let block: number;
      if (at < whole) {
        block =
          text.charCodeAt(at) |
          (text.charCodeAt(at + 1) << 8) |
          (text.charCodeAt(at + 2) << 16) |
          (text.charCodeAt(at + 3) << 24);
      } else {
        // The last block holds what is left, and the length.
        block = end << 24;
        for (let rest = at; rest < end; rest += 1) {
          block |= text.charCodeAt(rest) << (8 * (rest - at));
        }
      }
      v3 ^= block;
      // One round, written out, for it is done for each block; `#rounds` is the same.
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= block;
    }
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2;
    this.#v3 = v3;
  }

  #rounds(count: number): void {
    let v0 = this.#v0;
    let v1 = this.#v1;
    let v2 = this.#v2;
    let v3 = this.#v3;
    for (let round = 0; round < count; round += 1) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2;
    this.#v3 = v3;
  }
}
