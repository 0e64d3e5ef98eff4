/** Tokens per second of single answers: what the last ones had, the latest counting most. */
import type { Clock } from '../kernel/clock.ts';
import type { GenerateOptions } from './model-port.ts';

/** Weight of the latest answer. */
const latestWeight = 0.3;

export class SpeedMeter {
  readonly #clock: Clock;
  #tokensPerSecond: number | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Null before the first answer of two tokens. */
  get tokensPerSecond(): number | null {
    return this.#tokensPerSecond;
  }

  /** Begins to watch an answer: `onToken` for each of its tokens, `end` once it has ended well. */
  watch(onToken: GenerateOptions['onToken']) {
    let tokens = 0;
    let [firstMs, lastMs] = [0, 0];
    return {
      onToken: ((token, place) => {
        lastMs = this.#clock.monotonicMs();
        if (tokens === 0) firstMs = lastMs;
        tokens += 1;
        onToken?.(token, place);
      }) satisfies GenerateOptions['onToken'],
      end: (): void => this.#record(tokens - 1, lastMs - firstMs),
    };
  }

  #record(tokens: number, ms: number): void {
    if (tokens < 1 || ms <= 0) return;
    const latest = (tokens * 1_000) / ms;
    const before = this.#tokensPerSecond ?? latest;
    this.#tokensPerSecond = before + latestWeight * (latest - before);
  }
}
