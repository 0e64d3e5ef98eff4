import { describe, expect, test } from 'vitest';
import {
  type ContextNode,
  contextHash,
  contextTexts,
  decodeContext,
  encodeContext,
} from '../../src/actors/context-node.ts';
import { sha256 } from '../../src/kernel/hash.ts';

const long = 'A long result. '.repeat(50);
const parent = sha256('parent');
const node: ContextNode = {
  parent,
  items: [
    { role: 'assistant', content: '{"tool":"read"}' },
    { role: 'tool', tool: 'read', content: { path: 'a', text: long } },
  ],
};

describe('a context node', () => {
  test('refers to its long texts, which others may have stored already', () => {
    const { text, texts, hash } = encodeContext(node);
    expect(text).toBe(
      `{"items":[{"content":"{\\"tool\\":\\"read\\"}","role":"assistant"},{"content":{"path":"a","text":{"$blob":"${sha256(long)}"}},"role":"tool","tool":"read"}],"parent":"${parent}"}`,
    );
    expect(hash).toBe(sha256(text));
    expect([...texts]).toEqual([[sha256(long), Buffer.from(long)]]);
    expect(contextTexts(text)).toEqual([sha256(long)]);
  });

  test('is the same again from its text', () => {
    const { text, texts } = encodeContext(node);
    expect(decodeContext(text, (hash) => texts.get(hash) ?? null)).toEqual(node);
    expect(() => decodeContext(text, () => null)).toThrow(
      expect.objectContaining({ code: 'BLOB_MISSING' }),
    );
  });

  test('with other items or another parent has another hash, in whatever order its keys are', () => {
    const [, second] = node.items;
    if (second === undefined) throw new Error('there are two items');
    const others: ContextNode[] = [
      { ...node, parent: null },
      { ...node, items: [second] },
      { ...node, items: [...node.items].reverse() },
      { ...node, items: [second, { role: 'user', content: '{"tool":"read"}' }] },
    ];
    const hashes = new Set([node, ...others].map(contextHash));
    expect(hashes.size).toBe(5);
    expect(contextHash({ items: node.items, parent })).toBe(contextHash(node));
  });

  test('without items is its parent; of nothing there is no context', () => {
    expect(contextHash({ parent, items: [] })).toBe(parent);
    expect(() => contextHash({ parent: null, items: [] })).toThrow('no context');
    expect(() => encodeContext({ parent, items: [] })).toThrow('appends something');
  });
});
