import { describe, expect, test } from 'vitest';
import type { ContextItem } from '../../src/actors/context-node.ts';
import { type ContextPolicy, contextPolicySchema } from '../../src/actors/context-policy.ts';
import { budgetOf, charactersOf, shortened } from '../../src/actors/context-window.ts';
import type { Sha256 } from '../../src/kernel/hash.ts';

const from = 'a'.repeat(64) as Sha256;

function policyOf(policy: object = {}): ContextPolicy {
  return contextPolicySchema.parse({ budget: { characters: 400 }, ...policy });
}

const opening: ContextItem[] = [
  { role: 'system', content: 'You search the archive.' },
  { role: 'system', content: 'Name the ticket.', pin: true },
  { role: 'user', content: 'Where is the bicycle of Hansen?' },
];

function turn(path: string, told: string): ContextItem[] {
  return [
    { role: 'assistant', content: `read ${path}` },
    { role: 'tool', tool: 'read', content: told },
  ];
}

const filler = 'Lorem ipsum dolor sit amet consectetur. '.repeat(4);
const turns = [
  turn('one.txt', `The bicycle was in the cellar. ${filler}`),
  turn('two.txt', filler),
  turn('three.txt', filler),
  turn('four.txt', 'The end.'),
];
const items = [...opening, ...turns.flat()];

function kept(policy: object = {}, of: readonly ContextItem[] = items) {
  const found = shortened(of, policyOf(policy), { from, budget: 400 });
  return found === null ? null : { ...found, places: found.items.map((item) => of.indexOf(item)) };
}

describe('a context that is too large', () => {
  test('loses the turns that share least with the question, the oldest of these first', () => {
    const found = kept({ keep: { lastTurns: 1 } });
    expect(found?.places).toEqual([0, 1, 2, 3, 4, 9, 10]);
    expect(found?.cut).toEqual({
      from,
      budget: 400,
      before: charactersOf(items),
      after: charactersOf(found?.items ?? []),
      // The words of the latest call are in all of them.
      left: [5, 6, 7, 8].map((item) => ({ item, relevance: 0.25 })),
    });
  });

  test('keeps what the policy keeps, though it stays too large', () => {
    const found = kept({ keep: { lastTurns: 3 } });
    expect(found?.places).toEqual([0, 1, 2, 5, 6, 7, 8, 9, 10]);
    expect(found?.cut.left).toEqual([
      { item: 3, relevance: expect.any(Number) },
      { item: 4, relevance: expect.any(Number) },
    ]);
    expect(found?.cut.left[0]?.relevance).toBeGreaterThan(0);
    expect(found?.cut.after).toBeGreaterThan(300);
  });

  test('loses the system prompt and the pins only where the policy lets them go', () => {
    const keep = { system: false, pins: false, lastTurns: 4 };
    expect(kept({ keep })?.places).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(kept({ keep: { lastTurns: 4 } })).toBeNull();
  });

  test('is used in part afterwards, so that the next turn has room', () => {
    const small = kept({ shrinkTo: 0.2, keep: { lastTurns: 1 } });
    expect(small?.places).toEqual([0, 1, 2, 9, 10]);
  });

  test('the prompt of a repetition is no turn, and stays with the turns behind it', () => {
    const asking: ContextItem[] = [...items, { role: 'user', content: 'Once more.' }];
    const found = kept({ keep: { lastTurns: 1 }, shrinkTo: 0.8 }, asking);
    expect(found?.places).toEqual([0, 1, 2, 3, 4, 9, 10, 11]);
    expect(kept({ keep: { lastTurns: 1 }, shrinkTo: 0.1 }, asking)?.places).toEqual([
      0, 1, 2, 9, 10, 11,
    ]);
    // Once answered it belongs to its turn.
    const answered = [...asking, ...turn('five.txt', 'Nothing.')];
    expect(kept({ keep: { lastTurns: 1 }, shrinkTo: 0.3 }, answered)?.places).toEqual([
      0, 1, 2, 11, 12, 13,
    ]);
  });
});

test('a context within its budget stays as it is', () => {
  expect(shortened(items, policyOf(), { from, budget: charactersOf(items) })).toBeNull();
});

test('a budget of tokens is one of characters at the rate of the last answer', () => {
  const policy = policyOf({ budget: { tokens: 100 } });
  expect(budgetOf(policy, null)).toBe(400);
  expect(budgetOf(policy, 2.5)).toBe(250);
  expect(budgetOf(policyOf(), 2.5)).toBe(400);
});
