/**
 * Which tokens were used: each counts once, until it expires by itself.
 *
 * Invariants
 *   L1. A used token is remembered as long as it could be accepted.
 *   L2. A full ledger refuses new tokens; it never forgets one that still counts.
 */
import { limits } from '../kernel/limits.ts';

export class TokenLedger {
  readonly #used = new Map<string, number>();
  readonly #tokensMax: number;

  constructor(options: { readonly tokensMax?: number } = {}) {
    this.#tokensMax = options.tokensMax ?? limits.usedTokensMax;
  }

  get size(): number {
    return this.#used.size;
  }

  /** Whether the token was used before. */
  has(id: string): boolean {
    return this.#used.has(id);
  }

  /**
   * Uses it; false when it was used before or the ledger is full of tokens that still count.
   * @param expires seconds since the epoch @param now likewise
   */
  use(id: string, expires: number, now: number): boolean {
    if (this.#used.has(id)) return false;
    if (this.#used.size >= this.#tokensMax) this.#forgetExpired(now);
    if (this.#used.size >= this.#tokensMax) return false; // (L2)
    this.#used.set(id, expires + limits.tokenSkewSecondsMax);
    return true;
  }

  #forgetExpired(now: number): void {
    for (const [id, until] of this.#used) if (until < now) this.#used.delete(id); // (L1)
  }
}
