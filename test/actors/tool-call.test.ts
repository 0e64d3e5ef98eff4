import { describe, expect, test } from 'vitest';
import { toolCallOf } from '../../src/actors/tool-call.ts';
import type { Json } from '../../src/kernel/json.ts';
import { limits } from '../../src/kernel/limits.ts';
import { parsed } from './machines.ts';

function call(output: Json, agent: object = {}) {
  const definition = parsed({
    name: 'demo',
    agents: { worker: { prompt: 'x', tools: ['calc', 'read', 'odd', 'web'], ...agent } },
    tools: {
      calc: {
        actuator: 'sandbox',
        operation: 'run',
        parameters: ['a', 'b'],
        arguments: { source: '{{a}}+{{b}}', input: { list: ['{{a}}', 3] } },
      },
      read: { actuator: 'file', operation: 'read', parameters: [], arguments: { path: 'p.txt' } },
      odd: { actuator: 'file', operation: 'erase', parameters: [], arguments: {} },
      web: {
        actuator: 'http',
        operation: 'fetch',
        parameters: [],
        arguments: { url: '{{url}}', subject: { agent: 'another' } },
      },
      hidden: { actuator: 'file', operation: 'read', parameters: [], arguments: { path: 'h' } },
    },
    steps: [{ id: 'work', agent: 'worker' }],
  });
  const { worker } = definition.agents;
  if (worker === undefined) throw new Error('the agent exists');
  return toolCallOf(definition, worker, output);
}

describe('a call in an answer', () => {
  test('is rendered at every depth, and the sandbox gets the limits of the agent', () => {
    const limited = { limits: { timeoutMs: 700, memoryMb: 16 } };
    expect(call({ tool: 'calc', args: { a: 1, b: 2 } }, limited)).toEqual({
      type: 'call',
      tool: 'calc',
      intention: {
        kind: 'act',
        tag: 'tool',
        actuator: 'sandbox',
        operation: 'run',
        effect: 'pure',
        arguments: { source: '1+2', input: { list: ['1', 3] }, timeoutMs: 700, memoryMb: 16 },
      },
    });
  });

  test('an agent that may think longer than a script may run still calls', () => {
    const patient = { limits: { timeoutMs: limits.generationMsMax } };
    expect(call({ tool: 'calc', args: { a: 1, b: 2 } }, patient)).toMatchObject({
      intention: { arguments: { timeoutMs: limits.sandboxTimeoutMsMax } },
    });
  });

  test('other actuators get their arguments alone; what the answer adds is left out', () => {
    expect(call({ tool: 'read', args: { path: '/etc/passwd' } })).toMatchObject({
      intention: { actuator: 'file', arguments: { path: 'p.txt' } },
    });
    expect(call({ tool: 'read' })).toMatchObject({ type: 'call' });
  });

  test('to the network says whose it is, whatever the answer or the tool say', () => {
    const args = { url: 'https://example.com/', subject: { agent: 'another' } };
    expect(call({ tool: 'web', args })).toMatchObject({
      intention: {
        effect: 'idempotent',
        arguments: {
          url: 'https://example.com/',
          subject: { agent: 'worker', pipeline: 'demo' },
        },
      },
    });
  });

  test.each([
    ['not granted', { tool: 'hidden', args: {} }],
    ['not granted', { tool: 'constructor', args: {} }],
    ['lacks b', { tool: 'calc', args: { a: 1 } }],
    ['lacks a, b', { tool: 'calc', args: [1, 2] }],
    ['lacks a, b', { tool: 'calc', args: Object.create({ a: 1, b: 2 }) }],
    ['unknown operation file.erase', { tool: 'odd', args: {} }],
  ] as const)('is refused: %s', (reason, output) => {
    expect(call(output as unknown as Json)).toEqual({
      type: 'refused',
      reason: expect.stringContaining(reason),
    });
  });

  test.each([[null], ['calc'], [['calc']], [{ tool: 'none' }], [{ tool: 7 }], [{ answer: 'x' }]])(
    'is none: %j',
    (output) => {
      expect(call(output as Json)).toEqual({ type: 'none' });
    },
  );

  test('an agent without tools calls nothing, whatever it says', () => {
    expect(call({ tool: 'calc', args: { a: 1, b: 2 } }, { tools: [] })).toEqual({ type: 'none' });
  });

  test('a tool of the sandbox has the document of its step where its definition says so', () => {
    const definition = parsed({
      name: 'demo',
      agents: { worker: { prompt: 'x', tools: ['count'] } },
      tools: {
        count: {
          actuator: 'sandbox',
          operation: 'run',
          parameters: ['code'],
          arguments: { source: '{{code}}', files: { 'extra.txt': 'more' } },
          mount: 'document',
        },
      },
      steps: [{ id: 'work', agent: 'worker' }],
    });
    const { worker } = definition.agents;
    if (worker === undefined) throw new Error('the agent exists');
    const output = { tool: 'count', args: { code: '1', files: { 'forged.txt': 'x' } } };
    const filesOf = (document: { name: string; text: string } | null) => {
      const called = toolCallOf(definition, worker, output, { document });
      return called.type === 'call' ? called.intention.arguments.files : called;
    };
    expect(filesOf({ name: 'a.txt', text: 'the text' })).toEqual({
      'extra.txt': 'more',
      'a.txt': 'the text',
    });
    expect(filesOf(null)).toEqual({ 'extra.txt': 'more' });
    // Without it, what a document says stays out of the call.
    expect(call({ tool: 'calc', args: { a: 1, b: 2 } })).not.toHaveProperty(
      'intention.arguments.files',
    );
  });
});
