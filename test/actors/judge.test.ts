import { describe, expect, test } from 'vitest';
import { type Generation, judge } from '../../src/actors/judge.ts';
import type { AgentDefinition } from '../../src/actors/pipeline-definition.ts';
import { parsed } from './machines.ts';

const scope = { document: 'The key is in Bonn.', steps: {}, each: null };

function agentOf(agent: object): AgentDefinition {
  const definition = parsed({
    name: 'demo',
    agents: { worker: { prompt: 'x', ...agent } },
    steps: [{ id: 'work', agent: 'worker' }],
  });
  const { worker } = definition.agents;
  if (worker === undefined) throw new Error('the agent exists');
  return worker;
}

function judged(agent: object, generation: Partial<Generation>) {
  const whole = { status: 'completed', text: '', minConfidence: 0.9, halt: null, ...generation };
  return judge(agentOf(agent), whole as Generation, scope);
}

const certain = (min: number, retry = true) => ({ use: 'confidence', with: { min, retry } });

describe('judging an answer', () => {
  test('text is trimmed, JSON is parsed, and nothing is doubted without a check', () => {
    expect(judged({}, { text: ' Bonn\n' })).toEqual({
      output: 'Bonn',
      answered: true,
      reasons: [],
      confidence: 0.9,
      retry: false,
      detector: null,
    });
    expect(judged({ output: { type: 'object' } }, { text: '{"a": 1}' })).toMatchObject({
      output: { a: 1 },
      answered: true,
    });
  });

  test('a halt is no answer, and asking again may help', () => {
    const halt = { detector: 'repetition', evidence: 'the same four times' };
    expect(judged({}, { status: 'halted', text: 'so so so', halt })).toEqual({
      output: null,
      answered: false,
      reasons: ['the same four times'],
      confidence: 0.9,
      retry: true,
      detector: 'repetition',
    });
  });

  test('broken JSON is no answer either', () => {
    expect(judged({ output: {} }, { text: '{"a":' })).toMatchObject({
      output: null,
      answered: false,
      retry: true,
      reasons: [expect.stringContaining('JSON')],
    });
  });

  test('JSON that does not fit the schema is no answer, and asking again may help', () => {
    const output = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
    expect(judged({ output }, { text: '{"n":1}' })).toMatchObject({ answered: true, reasons: [] });
    expect(judged({ output }, { text: '{"x":1}' })).toMatchObject({
      answered: false,
      retry: true,
      reasons: [expect.stringContaining("required property 'n'")],
    });
  });

  test('every doubt is named; one that asking again may cure is enough to ask', () => {
    const doubted = judged({ checks: [certain(0.95, false), certain(0.99)] }, { text: 'Bonn' });
    expect(doubted).toMatchObject({ output: 'Bonn', answered: true, retry: true });
    expect(doubted.reasons).toHaveLength(2);
    const reversed = judged({ checks: [certain(0.99), certain(0.95, false)] }, { text: 'Bonn' });
    expect(reversed.retry).toBe(true);
    expect(judged({ checks: [certain(0.95, false)] }, { text: 'Bonn' }).retry).toBe(false);
    expect(judged({ checks: [certain(0.5)] }, { text: 'Bonn' })).toMatchObject({
      reasons: [],
      retry: false,
    });
  });

  test('an unknown confidence is no certainty', () => {
    const unknown = judged({ checks: [certain(0.1)] }, { text: 'Bonn', minConfidence: null });
    expect(unknown).toMatchObject({ confidence: null, reasons: [expect.any(String)] });
  });

  test('a check that does not exist is a doubt, not a pass', () => {
    for (const use of ['absent', 'constructor']) {
      expect(judged({ checks: [{ use }] }, { text: 'Bonn' }).reasons).toEqual([
        `The check ${use} does not exist.`,
      ]);
    }
  });
});
