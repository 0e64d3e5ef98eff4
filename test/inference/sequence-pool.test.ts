import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PooledSequence, SequencePool } from '../../src/inference/sequence-pool.ts';

/** Holds tokens as a sequence of llama.cpp does. */
class HeldTokens implements PooledSequence<string> {
  contextTokens: string[] = [];
  users = 0;
  cleared = 0;

  async eraseContextTokenRanges(ranges: { start: number; end: number }[]): Promise<void> {
    for (const { start, end } of ranges.toReversed()) this.contextTokens.splice(start, end - start);
  }

  async clearHistory(): Promise<void> {
    this.cleared += 1;
    this.contextTokens = [];
  }
}

function pool(count: number) {
  const sequences = Array.from({ length: count }, () => new HeldTokens());
  const of = new SequencePool<string, HeldTokens>(sequences);
  /** Reads the prompt and appends an answer; answers how much of it was read. */
  const answer = (prompt: string, text = '!'): Promise<{ read: number; by: number }> =>
    of.with([...prompt], async ({ sequence, held }) => {
      expect(sequence.contextTokens.join('')).toBe(prompt.slice(0, held));
      sequence.users += 1;
      expect(sequence.users).toBe(1); // (P1)
      await Promise.resolve();
      sequence.contextTokens.push(...prompt.slice(held), ...text);
      sequence.users -= 1;
      return { read: prompt.length - held, by: sequences.indexOf(sequence) };
    });
  return { answer, sequences };
}

describe('the sequences of a context', () => {
  test('a conversation goes on in the sequence that holds it, and reads only what is new', async () => {
    const { answer } = pool(2);
    const first = await answer('system one', ' yes');
    const second = await answer('system two', ' no');
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
    const long = await answer('a long conversation');
    await answer('b');
    expect((await answer('c')).by).toBe(long.by);
  });

  test('a single sequence is cleared before each use (P3)', async () => {
    const { answer, sequences } = pool(1);
    expect((await answer('same')).read).toBe(4);
    expect((await answer('same')).read).toBe(4);
    expect(sequences[0]?.cleared).toBe(2);
  });

  test('whatever is asked at once, each has its own, and what it holds is of its prompt', async () => {
    const prompts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1 }), {
      minLength: 1,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(prompts, async (all) => {
        const { answer } = pool(4);
        for (let start = 0; start < all.length; start += 4) {
          await Promise.all(all.slice(start, start + 4).map((prompt) => answer(prompt)));
        }
      }),
    );
  });

  test('one whose user failed is free again', async () => {
    const sequences = [new HeldTokens(), new HeldTokens()];
    const of = new SequencePool<string, HeldTokens>(sequences);
    for (let time = 0; time < 5; time += 1) {
      const failing = of.with(['a'], () => Promise.reject(new Error('stopped')));
      await expect(failing).rejects.toThrow('stopped');
    }
  });
});
