import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ContextItem,
  type ContextNode,
  contextHash,
  encodeContext,
} from '../../src/actors/context-node.ts';
import { readContextChain } from '../../src/actuators/context-chain.ts';
import { ContextCache } from '../../src/inference/context-cache.ts';
import { contextMessages } from '../../src/inference/context-messages.ts';
import { type Sha256, sha256 } from '../../src/kernel/hash.ts';
import { limits } from '../../src/kernel/limits.ts';

const root: ContextNode = { parent: null, items: [{ role: 'user', content: 'begin' }] };

/** A context of one user and `turns` assistant and tool items. */
function chain(turns: number, text = ''): ContextNode[] {
  const nodes = [root];
  for (let turn = 0; turn < turns; turn += 1) {
    nodes.push({
      parent: contextHash(nodes[turn] as ContextNode),
      items: [
        { role: 'assistant', content: `ask ${turn}` },
        { role: 'tool', tool: 'read', content: `${turn}${text}` },
      ],
    });
  }
  return nodes;
}

function contents(cache: ContextCache, nodes: readonly ContextNode[]): string[] {
  return cache.messages(nodes).map(({ content }) => content);
}

describe('the messages of a context', () => {
  test('call a result by its tool, and join what one role says in a row', () => {
    expect(
      contextMessages([
        { role: 'system', content: 'You search.' },
        { role: 'user', content: 'Find it.' },
        { role: 'assistant', content: 'reading' },
        { role: 'tool', tool: 'read', content: { text: 'x\ny', bytes: 3 } },
        { role: 'user', content: 'Think again.' },
        { role: 'assistant', content: 'a' },
        { role: 'tool', tool: 'calc', content: 'plain\ntext' },
      ]),
    ).toEqual([
      { role: 'system', content: 'You search.' },
      { role: 'user', content: 'Find it.' },
      { role: 'assistant', content: 'reading' },
      { role: 'user', content: 'Result of read:\n{"bytes":3,"text":"x\\ny"}\n\nThink again.' },
      { role: 'assistant', content: 'a' },
      { role: 'user', content: 'Result of calc:\nplain\ntext' },
    ]);
  });
});

describe('a cache of contexts', () => {
  test('builds the whole from what it knows and one new node', () => {
    const cache = new ContextCache();
    const [first, second, third] = chain(2) as [ContextNode, ContextNode, ContextNode];
    expect(contents(cache, [first])).toEqual(['begin']);
    contents(cache, [second]);
    expect(contents(cache, [third])).toEqual([
      'begin',
      'ask 0',
      'Result of read:\n0',
      'ask 1',
      'Result of read:\n1',
    ]);
    // The same question again brings nothing.
    expect(contents(cache, [{ parent: contextHash(second), items: [] }])).toHaveLength(3);
  });

  test('takes a chain whole, and knows each of its nodes then', () => {
    const cache = new ContextCache();
    const nodes = chain(3);
    expect(contents(cache, nodes)).toHaveLength(7);
    const { bytes } = cache;
    // What is told again is not remembered twice.
    contents(cache, nodes);
    expect(cache.bytes).toBe(bytes);
    for (const node of nodes) {
      expect(() => cache.messages([{ parent: contextHash(node), items: [] }])).not.toThrow();
    }
  });

  test('says that it does not know what it never saw or forgot', () => {
    const cache = new ContextCache();
    const [first, second] = chain(1) as [ContextNode, ContextNode];
    const unknown = expect.objectContaining({ code: 'CONTEXT_UNKNOWN' });
    expect(() => cache.messages([second])).toThrow(unknown);
    // A refused node is not remembered: it would be known without what comes before it.
    contents(cache, [first]);
    expect(() => cache.messages([{ parent: contextHash(second), items: [] }])).toThrow(unknown);
    expect(() => cache.messages([{ parent: sha256('other'), items: [] }])).toThrow(unknown);
  });

  test('is bounded: what was used longest ago goes, and a larger chain is still answered (X2)', () => {
    const text = 'x'.repeat(1_000);
    const cache = new ContextCache(5_000);
    const used: ContextNode = { parent: null, items: [{ role: 'user', content: text }] };
    cache.messages([used]);
    for (let index = 0; index < 20; index += 1) {
      cache.messages([{ parent: null, items: [{ role: 'user', content: `${index}${text}` }] }]);
      cache.messages([{ parent: contextHash(used), items: [] }]);
      expect(cache.bytes).toBeLessThanOrEqual(5_000);
    }
    const large = chain(20, text);
    expect(contents(cache, large)).toHaveLength(41);
    expect(cache.bytes).toBeLessThanOrEqual(5_000);
    expect(cache.bytes).toBeGreaterThan(3_000);
    expect(() => cache.messages([{ parent: contextHash(used), items: [] }])).toThrow();
  });

  test('refuses a conversation that is longer than a prompt may be', () => {
    const cache = new ContextCache();
    const tooLong = expect.objectContaining({ code: 'CONTEXT_TOO_LONG' });
    expect(() => cache.messages(chain(limits.chatMessagesMax / 2))).toThrow(tooLong);
    const most = 'x'.repeat(limits.contextCharactersMax);
    const items = (content: string) => [{ role: 'user', content }] as const;
    expect(cache.messages([{ parent: null, items: items(most) }])).toHaveLength(1);
    expect(() => cache.messages([{ parent: null, items: items(`${most}x`) }])).toThrow(tooLong);
  });
});

const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ minLength: 250, maxLength: 300 }));
const item: fc.Arbitrary<ContextItem> = fc.oneof(
  fc.record({ role: fc.constantFrom('system', 'user', 'assistant'), content: text }),
  fc.record({
    role: fc.constant('tool'),
    tool: fc.string({ maxLength: 9 }),
    content: fc.oneof(text, fc.dictionary(fc.string({ maxLength: 5 }), text, { maxKeys: 4 })),
  }),
) as fc.Arbitrary<ContextItem>;

test('a prompt is the same from memory, from a memory that forgets, and from the journal', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(item, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 0, max: 2_000 }),
      (turns, bytesMax) => {
        const [whole, forgetful] = [new ContextCache(), new ContextCache(bytesMax)];
        const journal = new Map<Sha256, Buffer>();
        const lookup = (hash: Sha256) => journal.get(hash) ?? null;
        let parent: Sha256 | null = null;
        for (const items of turns) {
          const node: ContextNode = { parent, items };
          const before: ContextNode[] = parent === null ? [] : readContextChain(parent, lookup);
          const expected = whole.messages([node]);
          let again: unknown;
          try {
            again = forgetful.messages([node]);
          } catch {
            again = forgetful.messages([...before, node]);
          }
          expect(again).toEqual(expected);
          const { hash, text: content, texts } = encodeContext(node);
          for (const [key, bytes] of [...texts, [hash, Buffer.from(content)] as const]) {
            journal.set(key, bytes);
          }
          const chained = readContextChain(hash, lookup).flatMap((each) => each.items);
          expect(contextMessages(chained)).toEqual(expected);
          expect(new ContextCache().messages([...before, node])).toEqual(expected);
          parent = hash;
        }
      },
    ),
  );
});
