import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  anyReuse,
  type ReusePolicy,
  type SequenceState,
  wholePieces,
} from '../../src/inference/reuse-policy.ts';
import {
  type OwnedState,
  type PooledSequence,
  SequencePool,
  type SequenceUse,
  type StateStore,
} from '../../src/inference/sequence-pool.ts';

/** Holds tokens as a sequence of llama.cpp does. */
class HeldTokens implements PooledSequence<string> {
  contextTokens: string[] = [];
  users = 0;

  async eraseContextTokenRanges(ranges: { start: number; end: number }[]): Promise<void> {
    for (const { start, end } of ranges.toReversed()) this.contextTokens.splice(start, end - start);
  }

  async clearHistory(): Promise<void> {
    this.contextTokens = [];
  }
}

class KeptStates implements StateStore<string, HeldTokens> {
  states: OwnedState<string>[] = [];
  /** As if somebody had changed the file. */
  damaged = false;

  async save(sequence: HeldTokens, state: OwnedState<string>): Promise<void> {
    this.states.push({ ...state, tokens: [...sequence.contextTokens] });
  }

  async load(sequence: HeldTokens, state: SequenceState<string>): Promise<boolean> {
    sequence.contextTokens = this.damaged ? [] : [...state.tokens];
    return !this.damaged;
  }

  async forget(owner: string): Promise<void> {
    this.states = this.states.filter((state) => state.owner !== owner);
  }
}

interface PoolOptions {
  policy?: ReusePolicy;
  store?: KeptStates;
}

function pool(count: number, { policy = anyReuse, store }: PoolOptions = {}) {
  const sequences = Array.from({ length: count }, () => new HeldTokens());
  const of = new SequencePool<string, HeldTokens>(sequences, policy, store ?? null);
  /** Reads the prompt and appends an answer; answers how much of it was read. */
  const answer = (
    prompt: string,
    { text = '!', ...use }: SequenceUse & { text?: string; during?: () => Promise<unknown> } = {},
  ): Promise<{ read: number; by: number }> =>
    of.with([...prompt], use, async ({ sequence, held, hasRead }) => {
      expect(sequence.contextTokens.join('')).toBe(prompt.slice(0, held));
      sequence.users += 1;
      expect(sequence.users).toBe(1); // (P1)
      await Promise.resolve();
      sequence.contextTokens.push(...prompt.slice(held, -1));
      await hasRead();
      sequence.contextTokens.push(...prompt.slice(-1), ...text);
      await use.during?.();
      sequence.users -= 1;
      return { read: prompt.length - held, by: sequences.indexOf(sequence) };
    });
  return { answer, sequences, of };
}

const long = (name: string): string => `${name}: `.padEnd(200, name);

describe('the sequences of a context', () => {
  test('a conversation goes on in the sequence that holds it, and reads only what is new', async () => {
    const { answer } = pool(2);
    const first = await answer('system one', { text: ' yes' });
    const second = await answer('system two', { text: ' no' });
    expect(second.by).not.toBe(first.by);
    expect(await answer('system one yes and?')).toEqual({ read: 5, by: first.by });
    expect(await answer('system two no why?')).toEqual({ read: 5, by: second.by });
  });

  test('a long beginning that is shared is not read again, though a short end is lost', async () => {
    const { answer } = pool(2);
    const system = 'a long system prompt: ';
    const first = await answer(`${system}x`);
    expect(await answer(`${system}y`)).toEqual({ read: 1, by: first.by });
  });

  test('the last token of a prompt is read though it is held (P2)', async () => {
    const { answer } = pool(2);
    await answer('same');
    expect((await answer('same')).read).toBe(1);
    expect((await answer('s')).read).toBe(1);
  });

  test('a prompt that nobody holds gets the sequence that was used longest ago', async () => {
    const { answer } = pool(3);
    for (const prompt of ['a', 'b', 'c']) await answer(prompt);
    expect((await answer('d')).by).toBe(0);
    expect((await answer('b!')).by).toBe(1);
    expect((await answer('e')).by).toBe(2);
  });

  test('however much whoever was here longest ago had said', async () => {
    const { answer } = pool(2);
    const longest = await answer('a long conversation');
    await answer('b');
    expect((await answer('c')).by).toBe(longest.by);
  });

  test('whatever is asked at once, each has its own, and what it holds is of its prompt', async () => {
    const prompts = fc.array(
      fc.record({
        prompt: fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 400 }),
        parks: fc.boolean(),
      }),
      { minLength: 1, maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(
        prompts,
        fc.boolean(),
        fc.constantFrom(anyReuse, wholePieces),
        async (all, damaged, policy) => {
          const store = new KeptStates();
          store.damaged = damaged;
          const { answer } = pool(4, { store, policy });
          for (let start = 0; start < all.length; start += 4) {
            const four = all.slice(start, start + 4);
            await Promise.all(four.map(({ prompt, parks }) => answer(prompt, { parks })));
          }
        },
      ),
    );
  });

  test('one whose user failed is free again', async () => {
    const { of } = pool(2);
    for (let time = 0; time < 5; time += 1) {
      const failing = of.with(['a'], {}, () => Promise.reject(new Error('stopped')));
      await expect(failing).rejects.toThrow('stopped');
    }
  });
});

describe('whoever will be back', () => {
  test('finds what was read for it in a file, when others took its place', async () => {
    const store = new KeptStates();
    const { answer, of } = pool(2, { store });
    await answer(long('a'), { parks: true });
    expect(of.usage).toMatchObject({ parked: 1, offloaded: 0 });
    for (const name of ['b', 'c']) await answer(long(name));
    expect(of.usage).toMatchObject({ parked: 0, offloaded: 1 });
    expect((await answer(`${long('a')}! more`)).read).toBe(5);
    expect(of.usage).toMatchObject({ restored: 1, tokensHeld: 201 });
  });

  test('reads again what is no longer as it was written', async () => {
    const store = new KeptStates();
    const { answer } = pool(1, { store });
    await answer(long('a'), { parks: true });
    await answer(long('b'));
    store.damaged = true;
    expect((await answer(long('a'))).read).toBe(200);
  });

  test('costs no file while it has its place, nor for a few tokens, nor when nobody is to come', async () => {
    const store = new KeptStates();
    const { answer } = pool(1, { store });
    await answer(long('a'), { parks: true });
    await answer(`${long('a')}!b`);
    await answer('short', { parks: true });
    await answer(long('b'));
    await answer(long('c'));
    expect(store.states).toHaveLength(0);
  });

  test('is forgotten with its owner, in memory and in files', async () => {
    const store = new KeptStates();
    const { answer, of, sequences } = pool(2, { store });
    await answer(long('a'), { parks: true, owner: 'one' });
    await answer(long('b'), { parks: true, owner: 'two' });
    await answer(long('c'), { parks: true, owner: 'one' });
    await expect.poll(() => store.states.map(({ owner }) => owner)).toEqual(['one', 'two']);
    await of.forget('one');
    expect(store.states.map(({ owner }) => owner)).toEqual(['two']);
    expect(sequences.map(({ contextTokens }) => contextTokens[0]).sort()).toEqual(['b', undefined]);
    expect((await answer(long('a'))).read).toBe(200);
  });

  test('is stored before its place is taken, while places are being lost', async () => {
    const store = new KeptStates();
    const { answer, of } = pool(2, { store });
    for (const name of ['a', 'b']) await answer(long(name), { parks: true });
    expect(store.states).toHaveLength(0);
    await answer(long('c'), { parks: true });
    // The place of the first was taken, and the second is next.
    await expect.poll(() => of.usage.offloaded).toBe(2);
    const during = async (): Promise<void> => expect(of.usage.offloaded).toBe(2);
    await answer(long('d'), { during });
    expect((await answer(`${long('b')}!`)).read).toBe(1);
    // Whoever has a place to itself costs no more files after a while.
    for (let turn = 0; turn < 3; turn += 1) await answer(long('d'), { parks: true });
    const { offloaded } = of.usage;
    for (let turn = 0; turn < 3; turn += 1) await answer(long('d'), { parks: true });
    expect(of.usage.offloaded).toBe(offloaded);
  });

  test('is not who failed', async () => {
    const store = new KeptStates();
    const { of, answer } = pool(1, { store });
    const failing = of.with([...long('a')], { parks: true }, async ({ sequence }) => {
      sequence.contextTokens.push(...long('a'));
      throw new Error('stopped');
    });
    await expect(failing).rejects.toThrow('stopped');
    await answer(long('b'));
    expect(store.states).toHaveLength(0);
  });
});

describe('what several ask at once', () => {
  test('is read by the first of them', async () => {
    const store = new KeptStates();
    const { answer, of } = pool(4, { store });
    const allRead = Promise.withResolvers<void>();
    let readers = 0;
    const during = async (): Promise<void> => {
      readers += 1;
      if (readers === 4) allRead.resolve();
      await allRead.promise;
    };
    const all = ['x', 'y', 'z', 'w'].map((end) => answer(`${long('system')}${end}`, { during }));
    expect((await Promise.all(all)).map(({ read }) => read)).toEqual([201, 1, 1, 1]);
    expect(of.usage).toMatchObject({ tokensRead: 204, offloaded: 1, restored: 3 });
  });

  test('waits for nobody who reads something else', async () => {
    const { answer } = pool(2, { store: new KeptStates() });
    const other = Promise.withResolvers<void>();
    const first = answer(long('a'), { during: () => other.promise });
    expect((await answer(long('b'))).read).toBe(200);
    other.resolve();
    await first;
  });

  test('goes on when the first of them fails', async () => {
    const { of, answer } = pool(2, { store: new KeptStates() });
    const failing = of.with([...long('a')], {}, async () => {
      await Promise.resolve();
      throw new Error('stopped');
    });
    const second = answer(`${long('a')}b`);
    await expect(failing).rejects.toThrow('stopped');
    expect((await second).read).toBe(201);
  });
});

describe('whole pieces', () => {
  test('are taken over only where both begin at the same place, and only what was read', async () => {
    const { answer } = pool(2, { policy: wholePieces });
    const piece = wholePieces.pieceTokens;
    const prompt = 'p'.repeat(piece + 5);
    await answer(prompt);
    expect((await answer(prompt)).read).toBe(5);
    // An answer was sampled one by one, so it is read anew as part of a prompt.
    const first = 'q'.repeat(piece - 1);
    await answer(first, { text: 'qq' });
    expect((await answer(`${first}qq more`)).read).toBe(piece + 6);
  });
});
