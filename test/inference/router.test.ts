import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RoutingPolicy, TaskClass } from '../../src/actors/routing-policy.ts';
import type { ChatMessage } from '../../src/inference/model-port.ts';
import type { ModelStatus } from '../../src/inference/model-status.ts';
import { estimateTokens, type RouteQuestion, route } from '../../src/inference/router.ts';
import { lexicalClassifier } from '../../src/inference/task-classifier.ts';

function status(name: string, changes: Partial<ModelStatus> = {}): ModelStatus {
  return {
    name,
    default: false,
    backend: 'llama.cpp',
    tier: 'small',
    sha256: null,
    state: 'idle',
    memoryBytes: 1,
    parameters: 1_000,
    contextTokens: 2_048,
    device: 'cpu',
    sequences: 1,
    generations: 0,
    tokensPerSecond: null,
    usage: null,
    ...changes,
  };
}

const small = status('small');
const large = status('large', { tier: 'large', parameters: 10_000, contextTokens: 8_192 });
const far = status('far', {
  tier: 'remote',
  backend: 'openai-compatible',
  parameters: null,
  device: null,
  contextTokens: null,
  sequences: null,
});

const question = (changes: Partial<RouteQuestion> = {}): RouteQuestion => ({
  taskClass: 'extraction',
  privacy: 'any',
  promptTokens: 100,
  answerTokens: 100,
  timeoutMs: 30_000,
  ...changes,
});

function order(
  changes: Partial<RouteQuestion>,
  models: readonly ModelStatus[] = [far, large, small],
  policy: RoutingPolicy = {},
): string[] {
  return route(question(changes), models, policy).ranked.map(({ model }) => model);
}

describe('the order of models', () => {
  test('is small, large, remote for what is easy, and large first for what is open-ended', () => {
    expect(order({})).toEqual(['small', 'large', 'far']);
    for (const taskClass of ['plan', 'summary'] as const) {
      expect(order({ taskClass })).toEqual(['large', 'small', 'far']);
    }
  });

  test('follows what the policy prefers', () => {
    const policy: RoutingPolicy = { prefer: { extraction: 'large', chat: 'remote' } };
    expect(order({}, undefined, policy)).toEqual(['large', 'small', 'far']);
    expect(order({ taskClass: 'chat' }, undefined, policy)).toEqual(['far', 'large', 'small']);
  });

  test('begins with the small one in a cascade, unless the policy prefers another', () => {
    const escalate = { below: 0.6 };
    expect(order({ taskClass: 'plan' }, undefined, { escalate })[0]).toBe('small');
    const prefer = { plan: 'large' } as const;
    expect(order({ taskClass: 'plan' }, undefined, { escalate, prefer })[0]).toBe('large');
  });

  test('puts a model last whose context is short', () => {
    expect(order({ promptTokens: 2_000 })).toEqual(['large', 'far', 'small']);
    expect(order({ promptTokens: 1_948 })[0]).toBe('small');
  });

  test('puts a model behind that would answer after the time limit, by its speed and load', () => {
    const slow = { ...small, tokensPerSecond: 10 };
    expect(order({ timeoutMs: 10_000 }, [slow, large])).toEqual(['small', 'large']);
    expect(order({ timeoutMs: 9_000 }, [slow, large])).toEqual(['large', 'small']);
    const busy = { ...slow, generations: 1 };
    expect(order({ timeoutMs: 19_000 }, [busy, large])).toEqual(['large', 'small']);
    expect(order({ timeoutMs: 19_000 }, [{ ...busy, sequences: 2 }, large])[0]).toBe('small');
  });

  test('takes the faster of one tier, and the loaded one of two that nobody measured', () => {
    const [slow, fast] = [
      status('slow', { tokensPerSecond: 10 }),
      status('fast', { tokensPerSecond: 20 }),
    ];
    expect(order({}, [slow, fast])).toEqual(['fast', 'slow']);
    const closed = status('closed', { state: 'closed' });
    expect(order({}, [closed, small])).toEqual(['small', 'closed']);
  });

  test('has reasons for every place', () => {
    const { ranked } = route(
      question({ timeoutMs: 1_000 }),
      [{ ...small, tokensPerSecond: 10, generations: 3 }, large],
      {},
    );
    expect(ranked).toEqual([
      {
        model: 'large',
        tier: 'large',
        cost: 2_000_000,
        reasons: ['large, and extraction prefers small'],
      },
      {
        model: 'small',
        tier: 'small',
        cost: 200_000,
        reasons: [
          'extraction prefers small',
          'about 40000 ms at 10 tokens/s, 3 open before it, later than its limit of 1000 ms',
        ],
      },
    ]);
  });
});

describe('what may not answer', () => {
  test('is a model that works elsewhere than the policy wants, or of which nobody has said where', () => {
    const graphics = status('graphics', { device: 'gpu' });
    const unknown = status('unknown', { device: null });
    const models = [small, graphics, unknown, far];
    const decision = route(question(), models, { device: 'gpu' });
    expect(decision.ranked.map(({ model }) => model)).toEqual(['graphics']);
    expect(decision.excluded).toEqual([
      { model: 'small', reason: 'the policy wants the gpu, it works on the cpu' },
      { model: 'unknown', reason: 'the policy wants the gpu, and nobody has said where it works' },
      { model: 'far', reason: 'the policy wants the gpu, and nobody has said where it works' },
    ]);
    expect(order({}, models, { device: 'cpu' })).toEqual(['small']);
  });

  test('is every endpoint for a local-only prompt, whatever is preferred', () => {
    const policy: RoutingPolicy = { prefer: { extraction: 'remote' } };
    const decision = route(question({ privacy: 'local-only' }), [far, small], policy);
    expect(decision.ranked.map(({ model }) => model)).toEqual(['small']);
    expect(decision.excluded).toEqual([
      { model: 'far', reason: expect.stringContaining('local-only') },
    ]);
  });

  test('is an endpoint where the policy asks none', () => {
    expect(order({}, [far], { remote: 'never' })).toEqual([]);
  });

  test('is what is over the budget, or whose cost nobody knows', () => {
    expect(order({}, undefined, { maxCost: 200_000 })).toEqual(['small']);
    expect(order({}, undefined, { maxCost: 199_999 })).toEqual([]);
  });
});

test('tokens are estimated from characters', () => {
  expect(estimateTokens(['a'.repeat(10), 'b'.repeat(5)])).toBe(5);
});

describe('the lexical classifier', () => {
  const classOf = (content: string, schema = null): TaskClass =>
    lexicalClassifier.classify({ messages: [{ role: 'user', content }], schema }).taskClass;

  test.each<[TaskClass, string]>([
    ['extraction', 'Extract the names and places from: Priya wrote to Marco in Leeds.'],
    ['routing', 'Route this request to one of: billing, support. Request: My bill is wrong.'],
    ['question', 'Facts: Priya lives in Leeds. Question: Where does Priya live?'],
    ['tool-call', 'Available tools: [{"name": "calc", "args": ["a"]}]\nRequest: add 1 and 2'],
    ['plan', 'Break this goal into steps: Check the invoice, then email Rosa.'],
    ['summary', 'Summarise: Hello team, the inspection is moved.'],
    ['check', 'Facts: The shop earned £4,870. Claim: It earned £1. Supported?'],
    ['decision', 'Facts: A is near. Options: A, B. Choose the option that is near.'],
    ['chat', 'Hello there!'],
    ['question', 'The old town has a gate, a tower and a bridge that nobody has ever counted.'],
  ])('takes for %s: %s', (taskClass, prompt) => {
    expect(classOf(prompt)).toBe(taskClass);
  });

  test('reads the form of the answer too, and says what spoke for the class', () => {
    const schema = { type: 'object', properties: { tool: {}, args: {} } };
    const messages = [{ role: 'user' as const, content: 'Good day' }];
    expect(lexicalClassifier.classify({ messages, schema })).toEqual({
      taskClass: 'tool-call',
      evidence: 'the form of the answer',
    });
  });

  test('is right on most held-out prompts of the embedded model', () => {
    const classes: Readonly<Record<string, TaskClass>> = {
      extract: 'extraction',
      route: 'routing',
      tool: 'tool-call',
      plan: 'plan',
      qa: 'question',
      check: 'check',
      summary: 'summary',
      brief: 'summary',
      decide: 'decision',
      chat: 'chat',
    };
    const file = join(import.meta.dirname, '../../models/eval/heldout.jsonl');
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const cases = lines
      .map((line) => JSON.parse(line) as { task: string; turns: [ChatMessage['role'], string][] })
      .filter(({ task }) => classes[task] !== undefined);
    const right = cases.filter(({ task, turns }) => {
      const messages = turns.slice(0, -1).map(([role, content]) => ({ role, content }));
      return lexicalClassifier.classify({ messages, schema: null }).taskClass === classes[task];
    });
    expect(cases).toHaveLength(400);
    expect(right.length).toBeGreaterThan(320);
  });
});
