import { describe, expect, test } from 'vitest';
import {
  afterCall,
  type Call,
  type CallHistory,
  failingCalls,
  noCalls,
  toolLoop,
} from '../../../src/actors/detectors/tool-loop.ts';

const call = (tool: string, path = 'a'): Call => ({ tool, args: { path } });

/** A history of calls; each is told its place unless said. */
function history(calls: readonly Call[], told?: string): CallHistory {
  return calls.reduce(
    (past, each, index) =>
      afterCall(past, each, { content: told ?? `result ${index}`, failed: false }),
    noCalls,
  );
}

describe('a loop of calls', () => {
  test('is the same call so many times in a row, whatever it was told', () => {
    const past = history([call('list'), call('read'), call('read')]);
    expect(toolLoop(past, call('read'), 3)).toEqual({
      source: 'tool-loop',
      evidence: 'The tool read is called with the same arguments 3 times in a row.',
    });
    expect(toolLoop(past, call('read'), 4)).toBeNull();
    expect(toolLoop(past, call('read', 'b'), 3)).toBeNull();
    expect(toolLoop(past, call('write'), 3)).toBeNull();
  });

  test('does not depend on the order of the arguments', () => {
    const past = history([
      { tool: 'add', args: { a: 1, b: 2 } },
      { tool: 'add', args: { b: 2, a: 1 } },
    ]);
    expect(toolLoop(past, { tool: 'add', args: { a: 1, b: 2 } }, 3)).not.toBeNull();
    expect(toolLoop(past, { tool: 'add', args: { a: 2, b: 1 } }, 3)).toBeNull();
  });

  test('is a cycle of several calls', () => {
    const [a, b, c] = [call('a'), call('b'), call('c')];
    const past = history([c, a, b, c, a, b]);
    expect(toolLoop(past, c, 2)?.evidence).toBe(
      'The same 3 calls are made 2 times in a row, the last one of c.',
    );
    expect(toolLoop(past, a, 2)).toBeNull();
    expect(toolLoop(past, c, 3)).toBeNull();
  });

  test('is the same call with the same result, whatever was called between', () => {
    const calls = [call('read'), call('x'), call('read'), call('y'), call('z')];
    expect(toolLoop(history(calls, 'the same'), call('read'), 3)?.evidence).toContain(
      'told the same each time',
    );
    // Something changes each time: that is how one waits for something.
    expect(toolLoop(history(calls), call('read'), 3)).toBeNull();
  });

  test('is looked for in the latest calls alone, so what is kept does not grow', () => {
    const many = Array.from({ length: 500 }, (_, index) => call('read', String(index)));
    expect(history(many).past).toHaveLength(64);
  });
});

describe('calls that keep failing', () => {
  const told = (failed: boolean) => ({ content: 'x', failed });

  test('are counted until one succeeds', () => {
    const twice = [call('a'), call('b')].reduce(
      (past, each) => afterCall(past, each, told(true)),
      noCalls,
    );
    expect(failingCalls(twice, call('c'), 2)).toEqual({
      source: 'failing-calls',
      evidence: 'The last 2 calls failed, and c is called next.',
    });
    expect(failingCalls(twice, call('c'), 3)).toBeNull();
    expect(failingCalls(afterCall(twice, call('c'), told(false)), call('d'), 1)).toBeNull();
  });
});
