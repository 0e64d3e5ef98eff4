import { describe, expect, test } from 'vitest';
import {
  appendedContext,
  type ContextNode,
  contextHash,
  contextTexts,
  decodeContext,
  encodeContext,
} from '../../src/actors/context-node.ts';
import type { ActIntention } from '../../src/actors/intention.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import type { JsonObject } from '../../src/kernel/json.ts';

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

  test('is what a generation appends, and no other intention does', () => {
    const asking: ActIntention = {
      kind: 'act',
      tag: 'generate',
      actuator: 'inference',
      operation: 'generate',
      effect: 'pure',
      arguments: { context: node as unknown as JsonObject },
    };
    expect(appendedContext(asking)).toEqual(node);
    const again = { context: { parent, items: [] } };
    for (const other of [
      { arguments: again },
      { arguments: { messages: [] } },
      { actuator: 'file' },
      { operation: 'read' },
    ]) {
      expect(appendedContext({ ...asking, ...other })).toBeNull();
    }
  });

  test('without items is its parent; of nothing there is no context', () => {
    expect(contextHash({ parent, items: [] })).toBe(parent);
    expect(() => contextHash({ parent: null, items: [] })).toThrow('no context');
    expect(() => encodeContext({ parent, items: [] })).toThrow('appends something');
  });
});
