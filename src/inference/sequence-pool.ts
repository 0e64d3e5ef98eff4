/**
 * The sequences of a context, and which of them a generation gets: one with which
 * the fewest tokens are read, now and when whoever it held comes back. So a conversation
 * goes on without reading all of it again, and does not lose its place to another
 * that only begins in the same way. What an agent that will be back loses all the same is
 * stored in a file first, and what several ask at once is read by the first of them. While places
 * are being lost in this way, the one that is next is stored before anybody comes for it.
 *
 * Invariants
 *   P1. A sequence has one user at a time.
 *   P2. The last token of a prompt is always evaluated: what follows it is
 *       sampled from that.
 *   P3. What a sequence holds is taken over only as the reuse policy allows it.
 *   P4. Sequences are prepared one after the other, so that nobody takes what is
 *       just being stored.
 *   P5. After a close no sequence is touched: its context is freed then, and llama.cpp
 *       ends the process that uses what is freed.
 */
import { assert } from '../kernel/assert.ts';
import type { ReusePolicy, SequenceState } from './reuse-policy.ts';

/** Tokens from which it is worth to store a state, to load one, or to wait for who reads the same. */
const worthTokensMin = 64;

/** What the pool needs of a sequence of llama.cpp. */
export interface PooledSequence<Token> {
  /** Tokens whose values it holds. */
  readonly contextTokens: readonly Token[];
  /** Forgets tokens from `start` to before `end`. */
  eraseContextTokenRanges(ranges: { start: number; end: number }[]): Promise<void>;
  clearHistory(): Promise<void>;
}

/** Where states go that no sequence has room for. */
export interface StateStore<Token, Sequence> {
  readonly states: readonly SequenceState<Token>[];
  save(sequence: Sequence, state: OwnedState<Token>): Promise<void>;
  /** @returns false when it cannot be used; then the sequence holds nothing. */
  load(sequence: Sequence, state: SequenceState<Token>): Promise<boolean>;
  forget(owner: string): Promise<void>;
}

export interface OwnedState<Token> extends SequenceState<Token> {
  readonly owner: string | undefined;
}

export interface TakenSequence<Sequence> {
  readonly sequence: Sequence;
  /** How many tokens of the prompt it holds, which need not be evaluated. */
  readonly held: number;
  /** To be called when all of the prompt but its last piece was read. */
  hasRead(): Promise<void>;
}

export interface SequenceUse {
  /** Who asks will be back with more, so what the sequence holds then is worth a file. */
  readonly parks?: boolean | undefined;
  /** Whose tokens these are, to have them forgotten. */
  readonly owner?: string | undefined;
}

/** What became of the tokens of all prompts so far, and what the sequences are doing. */
export interface PoolUsage {
  readonly sequences: number;
  readonly active: number;
  /** Free, and held for somebody who will be back. */
  readonly parked: number;
  /** Prompt tokens that were evaluated. */
  readonly tokensRead: number;
  /** Prompt tokens that a sequence held, or a file. */
  readonly tokensHeld: number;
  /** States that were stored, and read again. */
  readonly offloaded: number;
  readonly restored: number;
}

interface Place<Sequence> {
  readonly sequence: Sequence;
  /** Tokens at its start that were read as pieces of a prompt. */
  read: number;
  parked: boolean;
  /** What it holds is stored, as it is. */
  stored: boolean;
  owner: string | undefined;
}

interface Reader<Token> {
  readonly prompt: readonly Token[];
  readonly done: PromiseWithResolvers<void>;
  wanted: boolean;
}

export class SequencePool<Token, Sequence extends PooledSequence<Token>> {
  /** Used longest ago first. */
  readonly #free: Place<Sequence>[];
  readonly #count: number;
  readonly #policy: ReusePolicy;
  readonly #store: StateStore<Token, Sequence> | null;
  readonly #readers = new Set<Reader<Token>>();
  readonly #counts = { tokensRead: 0, tokensHeld: 0, offloaded: 0, restored: 0 };
  #prepared: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** Uses since somebody lost the place that was held for them. */
  #usesSinceLoss = Number.POSITIVE_INFINITY;

  constructor(
    sequences: readonly Sequence[],
    policy: ReusePolicy,
    store: StateStore<Token, Sequence> | null = null,
  ) {
    assert(sequences.length > 0, 'a context has a sequence');
    this.#free = sequences.map((sequence) => placeFor(sequence));
    this.#count = sequences.length;
    this.#policy = policy;
    this.#store = store;
  }

  get usage(): PoolUsage {
    return {
      sequences: this.#count,
      active: this.#count - this.#free.length,
      parked: this.#free.filter(({ parked }) => parked).length,
      ...this.#counts,
    };
  }

  /** Runs `use` with a sequence that holds nothing but the beginning of the prompt. */
  async with<Result>(
    prompt: readonly Token[],
    { parks, owner }: SequenceUse,
    use: (taken: TakenSequence<Sequence>) => Promise<Result>,
  ): Promise<Result> {
    const before = this.#readerOf(prompt);
    const reader: Reader<Token> = { prompt, done: Promise.withResolvers(), wanted: false };
    this.#readers.add(reader);
    try {
      await before?.done.promise;
      const { place, held } = await this.#prepareNext(prompt);
      return await this.#use({ place, held, reader }, { parks, owner }, use);
    } finally {
      this.#endReading(reader);
    }
  }

  async #use<Result>(
    { place, held, reader }: { place: Place<Sequence>; held: number; reader: Reader<Token> },
    { parks, owner }: SequenceUse,
    use: (taken: TakenSequence<Sequence>) => Promise<Result>,
  ): Promise<Result> {
    place.owner = owner;
    place.stored = false;
    this.#usesSinceLoss += 1;
    try {
      const hasRead = () => this.#hasRead(place, reader);
      const result = await use({ sequence: place.sequence, held, hasRead });
      place.parked = parks === true;
      return result;
    } finally {
      this.#free.push(place);
      this.#storeAhead();
    }
  }

  /** So that the next who comes need not wait for it. */
  #storeAhead(): void {
    if (this.#store === null || this.#usesSinceLoss > this.#count) return;
    void this.#oneByOne(async () => {
      const [next] = this.#free;
      if (this.#closed || next === undefined || next.stored) return; // (P5)
      const isTight = this.#free.every(({ parked }) => parked);
      if (!isTight || next.sequence.contextTokens.length < worthTokensMin) return;
      await this.#save(next);
      next.stored = true;
    });
  }

  /** Forgets whatever it holds for an owner whom nobody serves at this moment; nothing once it is closed. */
  async forget(owner: string): Promise<void> {
    await this.#oneByOne(async () => {
      if (this.#closed) return; // (P5)
      for (const place of this.#free.filter((each) => each.owner === owner)) {
        await this.#clear(place);
      }
      await this.#store?.forget(owner);
    });
  }

  /**
   * While nobody uses a sequence: stores what they hold, and goes on with those that `make`
   * answers, as many, which hold nothing.
   */
  async replace(make: () => Promise<readonly Sequence[]>): Promise<void> {
    await this.#oneByOne(async () => {
      assert(this.#free.length === this.#count, 'no sequence in use is replaced');
      for (const place of this.#free) {
        if (place.sequence.contextTokens.length >= worthTokensMin) await this.#save(place);
      }
      const sequences = await make();
      assert(sequences.length === this.#count, 'as many come as go');
      this.#free.splice(0, this.#count, ...sequences.map((sequence) => placeFor(sequence)));
    });
  }

  /** Once nobody uses a sequence: resolves when none is touched any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#prepared; // (P5)
  }

  /** Whoever is reading the same beginning at this moment, and will store it. */
  #readerOf(prompt: readonly Token[]): Reader<Token> | null {
    if (this.#store === null) return null;
    const usable = (state: SequenceState<Token>) => this.#policy.usable(state, prompt);
    const read = (reader: Reader<Token>) =>
      usable({ tokens: reader.prompt, read: reader.prompt.length - 1 });
    const reader = best([...this.#readers], read);
    if (reader === null) return null;
    const held = this.#free.map((place) => stateOf<Token, Sequence>(place));
    const known = Math.max(0, ...[...held, ...this.#store.states].map(usable));
    if (read(reader) - known < worthTokensMin) return null;
    reader.wanted = true;
    return reader;
  }

  async #hasRead(place: Place<Sequence>, reader: Reader<Token>): Promise<void> {
    place.read = place.sequence.contextTokens.length;
    if (reader.wanted) await this.#save(place);
    this.#endReading(reader);
  }

  #endReading(reader: Reader<Token>): void {
    this.#readers.delete(reader);
    reader.done.resolve();
  }

  #prepareNext(prompt: readonly Token[]): Promise<{ place: Place<Sequence>; held: number }> {
    return this.#oneByOne(async () => {
      const { place, stored } = this.#choose(prompt);
      const held = await this.#prepare(place, stored, prompt);
      this.#counts.tokensHeld += held;
      this.#counts.tokensRead += prompt.length - held;
      return { place, held };
    });
  }

  #choose(prompt: readonly Token[]): {
    place: Place<Sequence>;
    stored: SequenceState<Token> | null;
  } {
    const usable = (state: SequenceState<Token>) => this.#policy.usable(state, prompt);
    const gains = this.#free.map((place, index) => {
      const state = stateOf<Token, Sequence>(place);
      // Whoever was here longest ago has lost it.
      return index === 0 ? usable(state) : 2 * usable(state) - state.tokens.length;
    });
    const index = gains.indexOf(Math.max(...gains));
    const direct = this.#free[index];
    assert(direct !== undefined, 'there are no more users than sequences');
    const stored = best(this.#store?.states ?? [], usable);
    const gain = stored === null ? 0 : usable(stored) - usable(stateOf(direct));
    const from = gain >= worthTokensMin ? 0 : index;
    const [place] = this.#free.splice(from, 1); // (P1)
    assert(place !== undefined, 'the place is free');
    return { place, stored: gain >= worthTokensMin ? stored : null };
  }

  async #prepare(
    place: Place<Sequence>,
    stored: SequenceState<Token> | null,
    prompt: readonly Token[],
  ): Promise<number> {
    const kept = stored === null ? this.#policy.usable(stateOf(place), prompt) : 0;
    const lost = place.sequence.contextTokens.length - kept;
    if (place.parked && lost >= worthTokensMin) {
      if (!place.stored) await this.#save(place);
      this.#usesSinceLoss = 0;
    }
    place.parked = false;
    if (stored !== null) await this.#load(place, stored);
    const held = this.#policy.usable(stateOf<Token, Sequence>(place), prompt); // (P2) (P3)
    const end = place.sequence.contextTokens.length;
    if (held === 0) await this.#clear(place);
    else if (held < end) {
      await place.sequence.eraseContextTokenRanges([{ start: held, end }]);
    }
    place.read = Math.min(place.read, held);
    return held;
  }

  async #save(place: Place<Sequence>): Promise<void> {
    if (this.#store === null) return;
    await this.#store.save(place.sequence, { ...stateOf(place), owner: place.owner });
    this.#counts.offloaded += 1;
  }

  async #load(place: Place<Sequence>, stored: SequenceState<Token>): Promise<void> {
    const loaded = (await this.#store?.load(place.sequence, stored)) ?? false;
    place.read = loaded ? stored.read : 0;
    if (loaded) this.#counts.restored += 1;
  }

  async #clear(place: Place<Sequence>): Promise<void> {
    await place.sequence.clearHistory();
    place.read = 0;
    place.parked = false;
    place.stored = false;
    place.owner = undefined;
  }

  /** (P4) */
  #oneByOne<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#prepared.then(work);
    this.#prepared = result.catch(() => undefined);
    return result;
  }
}

function placeFor<Sequence>(sequence: Sequence): Place<Sequence> {
  return { sequence, read: 0, parked: false, stored: false, owner: undefined };
}

function stateOf<Token, Sequence extends PooledSequence<Token>>({
  sequence,
  read,
}: Place<Sequence>): SequenceState<Token> {
  return { tokens: sequence.contextTokens, read };
}

function best<State>(states: readonly State[], tokens: (state: State) => number): State | null {
  let most: State | null = null;
  for (const state of states) if (most === null || tokens(state) > tokens(most)) most = state;
  return most;
}
