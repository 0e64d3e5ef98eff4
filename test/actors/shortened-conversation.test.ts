/** An agent whose context is kept small: what it is asked on, turn by turn. */
import { describe, expect, test } from 'vitest';
import { type ContextNode, contextHash } from '../../src/actors/context-node.ts';
import type { Intention } from '../../src/actors/intention.ts';
import { stateToJson } from '../../src/actors/step.ts';
import { canonicalJson, type Sha256 } from '../../src/kernel/hash.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { completed, definitionText, failed, started } from './machines.ts';

const context = { budget: { characters: 600 }, keep: { lastTurns: 1 } };
const pins = ['Name the ticket T-17.', 'Answer in German.'];

function start(agent: object = {}) {
  return started('agent', {
    type: 'start',
    machine: 'agent',
    self: actorId('run/supervisor/work'),
    parent: actorId('run/supervisor'),
    definition: definitionText({
      name: 'demo',
      agents: {
        worker: {
          system: 'You search.',
          prompt: 'Find the key.',
          pins,
          tools: ['read'],
          output: { type: 'object' },
          turns: 60,
          context,
          ...agent,
        },
      },
      tools: {
        read: {
          actuator: 'file',
          operation: 'read',
          parameters: ['path'],
          arguments: { path: '{{path}}' },
          result: '{{result.text}}',
        },
      },
      steps: [{ id: 'work', agent: 'worker' }],
    }),
    seed: 7,
    step: 'work',
    variables: { document: null, steps: '{}', items: null, run: { name: 'demo', seed: 7 } },
  });
}

function node(intentions: readonly Intention[]): ContextNode {
  const [intention] = intentions;
  if (intention?.kind !== 'act') throw new Error('a question is expected');
  return intention.arguments.context as unknown as ContextNode;
}

/** A long answer of the tool, of its own in each turn. */
const told = (turn: number) => `Page ${turn}. ${'Nothing is said here. '.repeat(12)}`;

function call(turn: number, promptTokens = 0) {
  return completed('generate', {
    status: 'completed',
    text: JSON.stringify({ tool: 'read', args: { path: `page-${turn}` } }),
    minConfidence: 0.9,
    halt: null,
    usage: { promptTokens, answerTokens: 1 },
  });
}

type Of = ReturnType<typeof start>['of'];

function takeTurn(of: Of, turn: number, promptTokens = 0): ContextNode {
  of.send(call(turn, promptTokens));
  return node(of.send(completed('tool', { text: told(turn) })));
}

/** All items of a context, from nodes by their hash. */
function itemsOf(nodes: ReadonlyMap<Sha256, ContextNode>, last: ContextNode): string[] {
  const before = last.parent === null ? [] : itemsOf(nodes, nodes.get(last.parent) as ContextNode);
  return [...before, ...last.items.map(({ content }) => String(content))];
}

describe('a context over its budget', () => {
  test('begins anew with what the policy keeps, 20 times and more, and never without the pins', () => {
    const { of, intentions } = start();
    const nodes = new Map<Sha256, ContextNode>();
    let last = node(intentions);
    let cuts = 0;
    let largest = 0;
    for (let turn = 0; turn < 40; turn += 1) {
      nodes.set(contextHash(last), last);
      const asked = itemsOf(nodes, last);
      expect(asked.slice(0, 4)).toEqual(['You search.', ...pins, 'Find the key.']);
      // Everything that is kept fits, or is what has to stay.
      expect(asked.join('').length).toBeLessThanOrEqual(700);
      largest = Math.max(largest, canonicalJson(stateToJson(of.state)).length);
      const next = takeTurn(of, turn);
      expect(itemsOf(nodes, next).at(-1)).toBe(told(turn));
      if (next.cut !== undefined) {
        cuts += 1;
        expect(next.parent).toBeNull();
        expect(next.cut.from).toBe(contextHash(last));
        expect(next.cut.left.every(({ item }) => item >= 4)).toBe(true);
      }
      last = next;
    }
    expect(cuts).toBeGreaterThanOrEqual(20);
    // What is kept does not grow with the turns.
    expect(largest).toBeLessThan(6_000);
  });

  test('is only continued where nothing is configured', () => {
    const { of, intentions } = start({ context: undefined });
    let last = node(intentions);
    for (let turn = 0; turn < 12; turn += 1) {
      const next = takeTurn(of, turn);
      expect(next.parent).toBe(contextHash(last));
      expect(next).not.toHaveProperty('cut');
      last = next;
    }
    expect(JSON.stringify(stateToJson(of.state))).not.toContain('"window"');
  });

  test('of tokens follows what the model counts', () => {
    const tokens = { context: { budget: { tokens: 150 }, keep: { lastTurns: 1 } } };
    // Four characters for each token: one turn and the opening fit, with the next it is too large.
    const { of } = start(tokens);
    expect(takeTurn(of, 0)).not.toHaveProperty('cut');
    expect(takeTurn(of, 1)).toHaveProperty('cut');
    // The model reads many more characters in a token: two turns fit.
    const wide = start(tokens).of;
    expect(takeTurn(wide, 0, 5)).not.toHaveProperty('cut');
    expect(takeTurn(wide, 1, 40)).not.toHaveProperty('cut');
  });
});

describe('a repetition', () => {
  const supervise = { retries: 2, grounding: 'Once more.' };
  const nonsense = completed('generate', {
    status: 'completed',
    text: 'no JSON',
    minConfidence: 0.9,
    halt: null,
  });
  const retry = (attempt: number) =>
    ({ type: 'retry', attempt, temperature: 0, seed: 8, grounding: 'Once more.' }) as const;

  test('is asked on the context of the turn, shortened if its prompt is too much', () => {
    const { of } = start({ supervise });
    const first = takeTurn(of, 0);
    of.send(nonsense);
    expect(node(of.send(retry(1)))).toEqual({
      parent: contextHash(first),
      items: [{ role: 'user', content: 'Once more.' }],
    });
    of.send(nonsense);
    // Nothing of the first repetition is left in the second.
    expect(node(of.send(retry(2)))).toEqual({
      parent: contextHash(first),
      items: [{ role: 'user', content: 'Once more.' }],
    });
    const next = takeTurn(of, 1);
    expect(next.cut?.left.map(({ item }) => item)).toEqual([4, 5]);
    expect(next.items.map(({ content }) => content)).toEqual([
      'You search.',
      ...pins,
      'Find the key.',
      'Once more.',
      '{"tool":"read","args":{"path":"page-1"}}',
      told(1),
    ]);
  });

  test('by another agent, after a failure, goes on with the context of the turn', () => {
    const { of } = start({ supervise });
    const asked = takeTurn(of, 0);
    of.send(nonsense);
    of.send(retry(1));
    const [end] = of.send(failed('generate'));
    if (end?.kind !== 'send' || end.event.type !== 'agent-failed') throw new Error('it failed');
    expect(end.event.progress?.conversation).toMatchObject({ asked: contextHash(asked) });
    expect(end.event.progress?.conversation.window).not.toHaveProperty('asked');
  });
});

test('a pin that the policy lets go is missed', () => {
  const { of } = start({
    context: { budget: { characters: 300 }, keep: { pins: false, lastTurns: 1 } },
    supervise: { forgetting: true },
  });
  const next = takeTurn(of, 0);
  expect(next.items.some((item) => 'pin' in item)).toBe(false);
  const [doubt] = of.send(
    completed('generate', {
      status: 'completed',
      text: '{"tool":"none","key":"Bonn"}',
      minConfidence: 0.9,
      halt: null,
    }),
  );
  expect(doubt).toMatchObject({
    event: {
      type: 'agent-doubt',
      detector: 'forgetting',
      reasons: [0, 1].map(() => expect.stringContaining('not told any more')),
    },
  });
});
