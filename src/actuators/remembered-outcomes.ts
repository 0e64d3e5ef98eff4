import type { IntentionKey } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { IntentionOutcome } from './intention-request.ts';

interface Remembered {
  readonly digest: string;
  readonly outcome: IntentionOutcome;
  readonly bytes: number;
}

/**
 * The latest completed outcomes by key, so that a repeated request is answered
 * and not carried out again. Bounded by number and by size; the one that was
 * asked for longest ago goes first.
 */
export class RememberedOutcomes {
  readonly #outcomes = new Map<IntentionKey, Remembered>();
  readonly #countMax: number;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(
    options: { readonly countMax: number; readonly bytesMax: number } = {
      countMax: limits.rememberedOutcomesMax,
      bytesMax: limits.rememberedOutcomeBytesMax,
    },
  ) {
    this.#countMax = options.countMax;
    this.#bytesMax = options.bytesMax;
  }

  get(key: IntentionKey): { digest: string; outcome: IntentionOutcome } | undefined {
    const remembered = this.#outcomes.get(key);
    if (remembered === undefined) return undefined;
    // A map keeps the order of insertion: the entry asked for becomes the youngest.
    this.#outcomes.delete(key);
    this.#outcomes.set(key, remembered);
    return remembered;
  }

  set(key: IntentionKey, digest: string, outcome: IntentionOutcome): void {
    this.#forget(key);
    const bytes = JSON.stringify(outcome).length;
    this.#outcomes.set(key, { digest, outcome, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#outcomes.keys()) {
      if (this.#outcomes.size <= this.#countMax && this.#bytes <= this.#bytesMax) break;
      this.#forget(oldest);
    }
  }

  #forget(key: IntentionKey): void {
    this.#bytes -= this.#outcomes.get(key)?.bytes ?? 0;
    this.#outcomes.delete(key);
  }
}
