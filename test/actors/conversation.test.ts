/** An agent with turns: what it asks on, what it keeps, and when it ends. */
import { describe, expect, test } from 'vitest';
import { type ContextNode, contextHash } from '../../src/actors/context-node.ts';
import type { AgentProgress, StartAgentEvent } from '../../src/actors/event.ts';
import type { ActIntention, Intention } from '../../src/actors/intention.ts';
import { stateToJson } from '../../src/actors/step.ts';
import { canonicalJson } from '../../src/kernel/hash.ts';
import { actorId } from '../../src/kernel/ids.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { answer, completed, definitionText, failed, halt, started } from './machines.ts';

const parent = actorId('run/supervisor');

function definitionWith(agent: object, step: object): string {
  return definitionText({
    name: 'demo',
    agents: {
      worker: {
        prompt: 'Find the key. {{each}}',
        tools: ['read', 'told'],
        output: { type: 'object' },
        turns: 3,
        ...agent,
      },
    },
    tools: {
      read: {
        actuator: 'file',
        operation: 'read',
        parameters: ['path'],
        arguments: { path: '{{path}}' },
      },
      told: {
        actuator: 'file',
        operation: 'read',
        parameters: [],
        arguments: { path: 'a' },
        result: '{{result.text}}',
      },
    },
    steps: [{ id: 'work', agent: 'worker', ...step }],
  });
}

function start(agent: object = {}, step: object = {}, progress?: AgentProgress) {
  const event: StartAgentEvent = {
    type: 'start',
    machine: 'agent',
    self: actorId('run/supervisor/work'),
    parent,
    definition: definitionWith(agent, step),
    seed: 7,
    step: 'work',
    variables: {
      document: null,
      steps: JSON.stringify({ before: { output: ['a', 'b'] } }),
      items: null,
      run: { name: 'demo', seed: 7 },
    },
    ...(progress === undefined ? {} : { progress }),
  };
  return started('agent', event);
}

function act(intentions: readonly Intention[]): ActIntention {
  const [intention] = intentions;
  if (intentions.length !== 1 || intention?.kind !== 'act') throw new Error('one act is expected');
  return intention;
}

/** The context that a question is asked on. */
function node(intentions: readonly Intention[]): ContextNode {
  const { operation, arguments: given } = act(intentions);
  expect(operation).toBe('generate');
  expect(given).not.toHaveProperty('messages');
  return given.context as unknown as ContextNode;
}

function result(intentions: readonly Intention[]): JsonObject {
  const [intention] = intentions;
  if (intention?.kind !== 'send' || intention.event.type !== 'agent-done') {
    throw new Error('the agent is done');
  }
  return intention.event.result as unknown as JsonObject;
}

const call = (path: string) => answer(JSON.stringify({ tool: 'read', args: { path } }));
const final = answer('{"tool":"none","key":"Bonn"}');

describe('the context of a conversation', () => {
  test('begins with the prompts, and each turn adds the answer and what its call came to', () => {
    const { of, intentions } = start({ system: 'You search.' });
    const first = node(intentions);
    expect(first).toEqual({
      parent: null,
      items: [
        { role: 'system', content: 'You search.' },
        { role: 'user', content: 'Find the key. ' },
      ],
    });
    expect(act(of.send(call('x.txt')))).toMatchObject({
      operation: 'read',
      arguments: { path: 'x.txt' },
    });
    const value = { path: 'x.txt', text: 'see y', bytes: 5 };
    const second = node(of.send(completed('tool', value)));
    expect(second).toEqual({
      parent: contextHash(first),
      items: [
        { role: 'assistant', content: '{"tool":"read","args":{"path":"x.txt"}}' },
        { role: 'tool', tool: 'read', content: value },
      ],
    });
    of.send(call('y.txt'));
    const third = node(of.send(completed('tool', { text: 'Bonn' })));
    expect(third.parent).toBe(contextHash(second));
    expect(result(of.send(final))).toEqual({
      verdict: 'accepted',
      output: { tool: 'none', key: 'Bonn' },
      reasons: [],
      confidence: 0.9,
      attempts: 3,
    });
    expect(of.done).toBe(true);
  });

  test('tells a result as the template of the tool says', () => {
    const { of } = start();
    of.send(answer('{"tool":"told"}'));
    const { items } = node(of.send(completed('tool', { path: 'a', text: 'only this' })));
    expect(items[1]).toEqual({ role: 'tool', tool: 'told', content: 'only this' });
  });

  test('of one element is not that of the next', () => {
    const { of, intentions } = start({}, { each: 'steps.before.output' });
    of.send(call('x'));
    of.send(completed('tool', 'text'));
    const next = node(of.send(final));
    expect(next).toEqual({ parent: null, items: [{ role: 'user', content: 'Find the key. b' }] });
    expect(contextHash(next)).not.toBe(contextHash(node(intentions)));
    expect(result(of.send(final))).toMatchObject({ attempts: 3, output: [{}, {}] });
  });

  test('is a hash in the state, whose size no turn changes', () => {
    const { of } = start({ turns: 100 });
    const sizes = Array.from({ length: 40 }, (_, turn) => {
      of.send(call(`file-${String(turn).padStart(3, '0')}`));
      of.send(completed('tool', { text: 'word '.repeat(20 * turn) }));
      const state = canonicalJson(stateToJson(of.state));
      expect(state).not.toContain('word');
      return state.length;
    });
    const spread = Math.max(...sizes.slice(1)) - Math.min(...sizes.slice(1));
    // The numbers of the turn and of the generations have one or two digits.
    expect(spread).toBeLessThanOrEqual(2);
    expect(sizes[1]).toBeLessThan(4_000);
  });
});

describe('a call that comes to nothing', () => {
  test('is told with its error, and the agent goes on', () => {
    const { of } = start();
    of.send(call('gone.txt'));
    const { items } = node(of.send(failed('tool', { message: 'No such file.' })));
    expect(items[1]).toEqual({
      role: 'tool',
      tool: 'read',
      content: 'The call failed: No such file.',
    });
    expect(result(of.send(final))).toMatchObject({ verdict: 'accepted' });
  });

  test('because it is refused, is told at once, without any act', () => {
    const { of } = start();
    const { items } = node(of.send(answer('{"tool":"erase","args":{}}')));
    expect(items).toEqual([
      { role: 'assistant', content: '{"tool":"erase","args":{}}' },
      {
        role: 'tool',
        tool: 'erase',
        content: 'The call failed: The tool erase is not granted to this agent.',
      },
    ]);
  });

  test('because the turns are used up, is not made: nothing was answered', () => {
    const { of } = start({ turns: 2 });
    of.send(call('x'));
    of.send(completed('tool', 'text'));
    expect(result(of.send(call('y')))).toEqual({
      verdict: 'escalated',
      output: null,
      reasons: ['After 2 turns the agent still called a tool instead of answering.'],
      confidence: 0.9,
      attempts: 2,
    });
  });

  test('because the last turn is refused, is a reason', () => {
    const { of } = start({ turns: 2 });
    of.send(call('x'));
    of.send(completed('tool', 'text'));
    expect(result(of.send(answer('{"tool":"erase"}')))).toMatchObject({
      verdict: 'flagged',
      reasons: [expect.stringContaining('not granted')],
    });
  });
});

describe('a doubted attempt', () => {
  const retry = (attempt: number, grounding: string | null) =>
    ({ type: 'retry', attempt, temperature: 0.4, seed: 8, grounding }) as const;

  test('is repeated on the context of its turn alone (V1, V2)', () => {
    const { of, intentions } = start();
    const first = contextHash(node(intentions));
    of.send(halt('unsure'));
    expect(node(of.send(retry(1, null)))).toEqual({ parent: first, items: [] });
    of.send(halt('unsure'));
    expect(node(of.send(retry(2, 'Think of: Bonn.')))).toEqual({
      parent: first,
      items: [{ role: 'user', content: 'Think of: Bonn.' }],
    });
    of.send(halt('unsure'));
    const third = node(of.send(retry(3, 'Try harder.')));
    expect(third).toEqual({ parent: first, items: [{ role: 'user', content: 'Try harder.' }] });
    of.send(call('x'));
    // What was asked for the accepted answer stays in the conversation, and only that.
    const next = act(of.send(completed('tool', 'text')));
    expect(next.arguments).toMatchObject({ temperature: 0, seed: 7 });
    expect(next.arguments.context).toEqual({
      parent: contextHash(third),
      items: [
        { role: 'assistant', content: '{"tool":"read","args":{"path":"x"}}' },
        { role: 'tool', tool: 'read', content: 'text' },
      ],
    });
    of.send(halt('unsure'));
    expect(node(of.send(retry(1, null)))).toEqual({
      parent: contextHash(next.arguments.context as unknown as ContextNode),
      items: [],
    });
    expect(result(of.send(final))).toMatchObject({ verdict: 'accepted', attempts: 6 });
  });

  test('makes no call, even where a turn is left', () => {
    const checks = [{ use: 'confidence', with: { min: 0.8 } }];
    const { of } = start({ checks });
    of.send(answer('{"tool":"read","args":{"path":"x"}}', 0.5));
    expect(result(of.send({ type: 'settle' }))).toMatchObject({
      verdict: 'flagged',
      output: { tool: 'read' },
    });
  });
});

test('a tool that is withdrawn while it works still tells its result', () => {
  const { of } = start();
  of.send(call('x'));
  of.send({ type: 'amend', definition: definitionWith({ tools: ['told'] }, {}) });
  const { items } = node(of.send(completed('tool', 'text')));
  expect(items[1]).toEqual({ role: 'tool', tool: 'read', content: 'text' });
  expect(node(of.send(call('y'))).items[1]).toMatchObject({
    content: expect.stringContaining('not granted'),
  });
});

describe('an agent that takes the place of a failed one', () => {
  const each = { each: 'steps.before.output' };
  const late = { code: 'INFERENCE_TIMEOUT', message: 'late', retryable: true } as const;

  /** What the failed agent tells its supervisor. */
  function failure(intentions: readonly Intention[]): AgentProgress {
    const [intention] = intentions;
    if (intention?.kind !== 'send' || intention.event.type !== 'agent-failed') {
      throw new Error('the agent failed');
    }
    if (intention.event.progress === undefined) throw new Error('it tells how far it came');
    return intention.event.progress;
  }

  test('asks the turn again that failed, and no other', () => {
    const { of } = start({}, each);
    of.send(final);
    of.send(call('x'));
    const second = node(of.send(completed('tool', 'text')));
    of.send(halt('unsure'));
    of.send({ type: 'retry', attempt: 1, temperature: 0.4, seed: 8, grounding: 'Again.' });
    const progress = failure(of.send(failed('generate', late)));
    const next = start({}, each, progress);
    expect(act(next.intentions).arguments).toMatchObject({ temperature: 0, seed: 7 });
    expect(node(next.intentions)).toEqual({ parent: contextHash(second), items: [] });
    next.of.send(call('y'));
    expect(node(next.of.send(completed('tool', 'more')))).toEqual({
      parent: contextHash(second),
      items: [
        { role: 'assistant', content: '{"tool":"read","args":{"path":"y"}}' },
        { role: 'tool', tool: 'read', content: 'more' },
      ],
    });
    // Of three turns this was the last; the failed attempts are not counted, the doubted one is.
    expect(result(next.of.send(final))).toMatchObject({
      verdict: 'accepted',
      output: [{ key: 'Bonn' }, { key: 'Bonn' }],
      attempts: 1 + 4,
    });
  });

  test('asks the first question again where that failed', () => {
    const { of, intentions } = start();
    const progress = failure(of.send(failed('generate', late)));
    expect(node(start({}, {}, progress).intentions)).toEqual({
      parent: contextHash(node(intentions)),
      items: [],
    });
  });
});

describe('an answer that a check doubts for good', () => {
  const checks = [{ use: 'confidence', with: { min: 0.99, retry: false } }];
  const doubted = (tool: string) => {
    const { of } = start({ checks });
    return result(of.send(answer(JSON.stringify({ tool, args: { path: 'x' } }))));
  };

  test('is flagged as it is: a call is neither made nor told to be refused', () => {
    expect(doubted('read')).toMatchObject({ verdict: 'flagged', output: { tool: 'read' } });
    expect(doubted('erase')).toMatchObject({
      verdict: 'flagged',
      reasons: [expect.any(String), expect.stringContaining('not granted')],
    });
  });
});

test('a cancel during a turn asks nothing more (A3)', () => {
  const { of } = start();
  of.send(call('x'));
  expect(of.send({ type: 'cancel' })).toEqual([{ kind: 'abort', tag: 'tool' }]);
  expect(of.send(failed('tool'))).toEqual([
    { kind: 'send', to: parent, event: { type: 'agent-cancelled', step: 'work' } },
  ]);
});

test('an agent without turns has no conversation in its state', () => {
  const { of, intentions } = start({ turns: undefined });
  expect(act(intentions).arguments).toHaveProperty('messages');
  expect(stateToJson(of.state).context).not.toHaveProperty('conversation');
});
