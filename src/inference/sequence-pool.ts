/**
 * The sequences of a context, and which of them a generation gets: one with which
 * the fewest tokens are read, now and when whoever it held comes back. So a conversation
 * goes on without reading all of it again, and does not lose its place to another
 * that only begins in the same way.
 *
 * Invariants
 *   P1. A sequence has one user at a time.
 *   P2. The last token of a prompt is always evaluated: what follows it is
 *       sampled from that.
 *   P3. A single sequence is cleared before each use: how a prompt was cut into
 *       batches changes the last bits of its values, and with them now and then a token.
 */
import { assert } from '../kernel/assert.ts';

/** What the pool needs of a sequence of llama.cpp. */
export interface PooledSequence<Token> {
  /** Tokens whose values it holds. */
  readonly contextTokens: readonly Token[];
  /** Forgets tokens from `start` to before `end`. */
  eraseContextTokenRanges(ranges: { start: number; end: number }[]): Promise<void>;
  clearHistory(): Promise<void>;
}

export interface TakenSequence<Sequence> {
  readonly sequence: Sequence;
  /** How many tokens of the prompt it holds, which need not be evaluated. */
  readonly held: number;
}

export class SequencePool<Token, Sequence extends PooledSequence<Token>> {
  /** Used longest ago first. */
  readonly #free: Sequence[];
  readonly #keeps: boolean;

  constructor(sequences: readonly Sequence[]) {
    assert(sequences.length > 0, 'a context has a sequence');
    this.#free = [...sequences];
    this.#keeps = sequences.length > 1; // (P3)
  }

  /** Runs `use` with a free sequence that holds nothing but the beginning of the prompt. */
  async with<Result>(
    prompt: readonly Token[],
    use: (taken: TakenSequence<Sequence>) => Promise<Result>,
  ): Promise<Result> {
    const sequence = this.#take(prompt);
    try {
      return await use({ sequence, held: await this.#prepare(sequence, prompt) });
    } finally {
      this.#free.push(sequence);
    }
  }

  #take(prompt: readonly Token[]): Sequence {
    const gains = this.#keeps ? this.#free.map((_, index) => this.#gain(index, prompt)) : [0];
    const [sequence] = this.#free.splice(gains.indexOf(Math.max(...gains)), 1); // (P1)
    assert(sequence !== undefined, 'there are no more users than sequences');
    return sequence;
  }

  /** Tokens that need not be read, less those that it would lose; whoever was here longest ago has lost it. */
  #gain(index: number, prompt: readonly Token[]): number {
    const contextTokens = this.#free[index]?.contextTokens ?? [];
    const shared = sharedLength(contextTokens, prompt);
    return index === 0 ? shared : shared - (contextTokens.length - shared);
  }

  async #prepare(sequence: Sequence, prompt: readonly Token[]): Promise<number> {
    const { contextTokens } = sequence;
    const shared = this.#keeps ? sharedLength(contextTokens, prompt) : 0;
    const held = Math.min(shared, prompt.length - 1); // (P2)
    const end = contextTokens.length;
    if (held <= 0) await sequence.clearHistory();
    else if (held < end) await sequence.eraseContextTokenRanges([{ start: held, end }]);
    return Math.max(0, held);
  }
}

function sharedLength<Token>(one: readonly Token[], other: readonly Token[]): number {
  const most = Math.min(one.length, other.length);
  for (let index = 0; index < most; index += 1) if (one[index] !== other[index]) return index;
  return most;
}
