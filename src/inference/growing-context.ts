/**
 * The context of a model in memory. Its window begins small and becomes larger when
 * a question needs that: what the sequences hold is stored, a larger context takes
 * the place of the old one, and each state is loaded again by whoever goes on with it.
 *
 * Invariants
 *   G1. A context is replaced only while no sequence of it is in use; whoever comes
 *       meanwhile waits for the new one, and whoever uses the old one is waited for.
 *   G2. Where memory has no room for a larger window the one that there was is opened
 *       again, and no larger one is tried. Where not even that one has room any more,
 *       everybody is refused.
 */
import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { SequencePool } from './sequence-pool.ts';
import type { TimeLimit } from './time-limit.ts';
import { unlessAborted } from './unless-aborted.ts';

/** In tokens. */
export interface ContextGrowth {
  readonly from: number;
  readonly to: number;
}

/** `growths`: how often it became larger. */
export interface WindowUsage {
  readonly tokens: number;
  readonly tokensMax: number;
  readonly growths: number;
}

export interface GrowingContextParts {
  readonly context: LlamaContext;
  readonly tokensMax: number;
  /** @throws whatever llama.cpp says when there is no memory for so many tokens */
  readonly open: (tokens: number) => Promise<LlamaContext>;
  readonly sequencesOf: (context: LlamaContext) => LlamaContextSequence[];
  readonly pool: SequencePool<Token, LlamaContextSequence>;
}

export class GrowingContext {
  readonly #parts: GrowingContextParts;
  #context: LlamaContext;
  #tokensMax: number;
  #growths = 0;
  /** Neither the larger window nor the old one could be opened. */
  #isLost = false;
  #users = 0;
  /** Resolves when the last user has left; null while nobody waits for that. */
  #unused: PromiseWithResolvers<void> | null = null;
  #growing: Promise<ContextGrowth | null> | null = null;

  constructor(parts: GrowingContextParts) {
    this.#parts = parts;
    this.#context = parts.context;
    this.#tokensMax = Math.max(parts.tokensMax, parts.context.contextSize);
  }

  /** In bytes. */
  get stateSize(): number {
    return this.#context.stateSize;
  }

  get window(): WindowUsage {
    const tokens = this.#context.contextSize;
    return { tokens, tokensMax: this.#tokensMax, growths: this.#growths };
  }

  /**
   * Runs `work` on a window of at least so many tokens, or on the largest that there can be.
   * @param work Is told by how much the window grew for it.
   * @throws RuntimeError INFERENCE_ABORTED or INFERENCE_TIMEOUT when it is stopped before that,
   *   INFERENCE_UNAVAILABLE when there is no window any more
   */
  async with<Result>(
    tokens: number,
    time: TimeLimit,
    work: (growth: ContextGrowth | null) => Promise<Result>,
  ): Promise<Result> {
    let growth: ContextGrowth | null = null;
    for (;;) {
      if (this.#isLost) throw lostError(); // (G2)
      if (this.#growing !== null)
        await unlessStopped(this.#growing, time); // (G1)
      else if (!this.#mayGrowTo(tokens)) break;
      else growth = await unlessStopped(this.#grow(tokens), time);
    }
    this.#users += 1;
    try {
      return await work(growth);
    } finally {
      this.#users -= 1;
      if (this.#users === 0) this.#unused?.resolve();
    }
  }

  /** Once nobody uses it. */
  async dispose(): Promise<void> {
    await this.#growing?.catch(() => null);
    assert(this.#users === 0, 'a context is freed when nobody uses it');
    if (!this.#isLost) await this.#context.dispose();
  }

  #mayGrowTo(tokens: number): boolean {
    const { contextSize } = this.#context;
    return tokens > contextSize && contextSize < this.#tokensMax;
  }

  #grow(tokens: number): Promise<ContextGrowth | null> {
    this.#growing = this.#replace(tokens).finally(() => {
      this.#growing = null;
    });
    return this.#growing;
  }

  async #replace(tokens: number): Promise<ContextGrowth | null> {
    if (this.#users > 0) {
      this.#unused = Promise.withResolvers();
      await this.#unused.promise; // (G1)
      this.#unused = null;
    }
    const from = this.#context.contextSize;
    await this.#parts.pool.replace(async () => {
      await this.#context.dispose();
      this.#context = await this.#openLarger(from, tokens);
      return this.#parts.sequencesOf(this.#context);
    });
    const to = this.#context.contextSize;
    if (to <= from) return null;
    this.#growths += 1;
    return { from, to };
  }

  /** (G2) */
  async #openLarger(from: number, tokens: number): Promise<LlamaContext> {
    const asked = doubledTo(from, tokens, this.#tokensMax);
    const open = (tokens: number) => this.#parts.open(tokens).catch(() => null);
    const context = (await open(asked)) ?? (await open(from));
    this.#isLost = context === null;
    if (context === null) throw lostError();
    // A window that came out smaller is as large as memory lets it be.
    if (context.contextSize < asked) this.#tokensMax = context.contextSize;
    return context;
  }
}

function lostError(): RuntimeError {
  return new RuntimeError(
    'INFERENCE_UNAVAILABLE',
    'The context window of the model was to grow, and memory has not even room for the old one any more; free some, then claw models reload.',
  );
}

async function unlessStopped<T>(growing: Promise<T>, time: TimeLimit): Promise<T> {
  try {
    return await unlessAborted(growing, time.signal);
  } catch (error) {
    time.check();
    throw error;
  }
}

function doubledTo(from: number, tokens: number, max: number): number {
  let to = from;
  while (to < tokens) to *= 2;
  return Math.min(to, max);
}
