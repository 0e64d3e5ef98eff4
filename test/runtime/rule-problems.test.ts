import { describe, expect, test } from 'vitest';
import { checks } from '../../src/actors/checks/index.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { parsePipelineObject } from '../../src/runtime/pipeline-file.ts';

const accepting = { type: 'object', properties: { accept: { type: 'boolean' } } };

function problemOf(rule: object, supervise: object = {}, agents: object = {}): string | null {
  const worker = { prompt: 'x', supervise: { rules: [rule], ...supervise } };
  const steps = [{ id: 'one', agent: 'worker', map: 'documents' }];
  try {
    parsePipelineObject(
      { name: 'demo', agents: { worker, ...agents }, steps },
      { knownChecks: Object.keys(checks) },
    );
    return null;
  } catch (error) {
    if (error instanceof RuntimeError) return error.message;
    throw error;
  }
}

describe('a rule', () => {
  test.each([
    { when: 'any', do: 'resample', temperature: 1, seed: 3, max: 8 },
    { when: 'format', do: 'switch-model', model: 'large' },
    {
      when: 'confidence',
      do: 'ground',
      prompt: '{{facts}} {{reasons}} {{pins}} {{document.name}}',
    },
    { when: 'any', do: 'pause' },
    { when: 'any', do: 'stop' },
  ])('that says all it needs is taken: %o', (rule) => {
    expect(problemOf(rule)).toBeNull();
  });

  test.each<[object, RegExp]>([
    [{ when: 'contradiction', do: 'human' }, /set supervise\.contradiction/],
    [{ when: 'moon', do: 'human' }, /no detector or check "moon"/],
    [{ when: 'any', do: 'switch-model' }, /needs the model/],
    [{ when: 'any', do: 'ground' }, /needs a prompt/],
    [{ when: 'any', do: 'critic' }, /needs the agent/],
    [{ when: 'any', do: 'critic', agent: 'worker' }, /no other agent "worker"/],
    [{ when: 'any', do: 'human', temperature: 1 }, /temperature is nothing that human uses/],
    [{ when: 'any', do: 'resample', model: 'm' }, /model is nothing that resample uses/],
    [{ when: 'any', do: 'ground', prompt: '{{moon}}' }, /no variable "moon"/],
    [{ when: 'any', do: 'dance' }, /do/],
    [{ when: 'any', do: 'pause', max: 9 }, /max/],
  ])('is refused: %o', (rule, why) => {
    expect(problemOf(rule)).toMatch(why);
  });

  test('a detector that is switched on may be named, and supervise.grounding is a prompt', () => {
    const rule = { when: 'contradiction', do: 'ground' };
    expect(problemOf(rule, { contradiction: true, grounding: '{{facts}}' })).toBeNull();
    expect(problemOf(rule, { contradiction: false, grounding: '{{facts}}' })).toMatch(/set super/);
  });

  test('a critic must be able to accept, and may read the answer', () => {
    const rule = { when: 'any', do: 'critic', agent: 'judge' };
    const judge = { prompt: '{{answer}} {{question}} {{reasons}} {{document.text}}' };
    expect(problemOf(rule, {}, { judge })).toMatch(/needs a property accept/);
    expect(problemOf(rule, {}, { judge: { ...judge, output: accepting } })).toBeNull();
    const blind = { prompt: '{{moon}}', output: accepting };
    expect(problemOf(rule, {}, { judge: blind })).toMatch(/no variable "moon"/);
  });

  test('a budget is for agents with turns, and in one measure', () => {
    const problem = (context: object, more: object = {}) => {
      const worker = { prompt: 'x', context, ...more };
      return problemOf({ when: 'any', do: 'human' }, {}, { worker });
    };
    const tools = {
      turns: 3,
      tools: ['read'],
    };
    expect(problem({ budget: { characters: 500 } })).toMatch(/context: an agent without turns/);
    expect(problem({ budget: { characters: 500, tokens: 500 } }, tools)).toMatch(/either/);
    expect(problem({ budget: {} }, tools)).toMatch(/either characters or tokens/);
    expect(problem({ budget: { tokens: 500 } }, tools)).toMatch(/no tool "read"/);
  });

  test('a pin is a text, or text and words', () => {
    const worker = { prompt: 'x', pins: [{ text: '{{moon}}', words: [] }] };
    expect(problemOf({ when: 'any', do: 'human' }, {}, { worker })).toMatch(/no variable "moon"/);
    const wrong = { prompt: 'x', pins: [3] };
    expect(problemOf({ when: 'any', do: 'human' }, {}, { worker: wrong })).toMatch(
      /a text, or text and words/,
    );
  });

  test('calls are watched of agents with turns alone', () => {
    expect(problemOf({ when: 'tool-loop', do: 'human' }, { toolLoop: 3 })).toMatch(/without turns/);
  });
});
