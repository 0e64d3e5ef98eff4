/** What an agent does at the word of a supervisor that follows rules, and as a critic. */
import { describe, expect, test } from 'vitest';
import type { StartAgentEvent } from '../../src/actors/event.ts';
import type { Intention } from '../../src/actors/intention.ts';
import type { Intervention } from '../../src/actors/intervention.ts';
import { stateToJson } from '../../src/actors/step.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { answer, completed, definitionText, started } from './machines.ts';

const intervention: Intervention = { rule: 0, when: 'any', do: 'pause', attempt: 0, findings: [] };

const definition = (agent: object) =>
  definitionText({
    name: 'demo',
    agents: {
      worker: { prompt: 'Sum up: {{document.text}}', ...agent },
      critic: {
        system: 'You judge {{document.name}}.',
        prompt: '{{each}}: {{question}} {{answer}} {{reasons}}',
        output: { type: 'object', properties: { accept: { type: 'boolean' } } },
      },
    },
    tools: {
      read: {
        actuator: 'file',
        operation: 'read',
        parameters: ['path'],
        arguments: { path: '{{path}}' },
      },
    },
    steps: [
      {
        id: 'work',
        agent: 'worker',
        map: 'documents',
        write: { path: 'x', template: 'x' },
      },
    ],
  });

function start(agent: object, more: Partial<StartAgentEvent> = {}) {
  return started('agent', {
    type: 'start',
    machine: 'agent',
    self: actorId('run/supervisor/work'),
    parent: actorId('run/supervisor'),
    definition: definition(agent),
    seed: 7,
    step: 'work',
    variables: {
      document: { name: 'm.txt', text: 'The rent rises.', part: 0 },
      steps: '{}',
      items: null,
      run: { name: 'demo', seed: 7 },
    },
    ...more,
  });
}

function event(intentions: readonly Intention[]) {
  const [intention] = intentions;
  return intention?.kind === 'send' ? intention.event : intention;
}

const rules = [{ when: 'confidence', do: 'pause' }];
const certain = (retry: boolean) => [{ use: 'confidence', with: { min: 0.8, retry } }];

describe('a doubt', () => {
  test('says who has it and what the answer is, where rules are set', () => {
    const { of } = start({ supervise: { rules }, checks: certain(true) });
    expect(event(of.send(answer('It rises.', 0.1)))).toMatchObject({
      type: 'agent-doubt',
      watched: {
        findings: [{ source: 'confidence', evidence: expect.any(String) }],
        again: true,
        answer: 'It rises.',
      },
    });
    const plain = start({ checks: certain(true) });
    expect(event(plain.of.send(answer('It rises.', 0.1)))).not.toHaveProperty('watched');
  });

  test('of a check that only flags is told where a rule is for it, and else not', () => {
    const { of } = start({ supervise: { rules }, checks: certain(false) });
    expect(event(of.send(answer('It rises.', 0.1)))).toMatchObject({
      type: 'agent-doubt',
      watched: { again: false },
    });
    const other = [{ when: 'format', do: 'human' }];
    const unruled = start({ supervise: { rules: other }, checks: certain(false) });
    expect(event(unruled.of.send(answer('It rises.', 0.1)))).toMatchObject({ tag: 'write' });
  });
});

describe('a doubtful agent', () => {
  function doubtful() {
    const { of } = start({ supervise: { rules }, checks: certain(true) });
    of.send(answer('It rises.', 0.1));
    return of;
  }

  test('goes on waiting while it is held', () => {
    const of = doubtful();
    const before = of.state;
    expect(of.send({ type: 'hold', intervention })).toEqual([]);
    expect(stateToJson(of.state)).toEqual(stateToJson(before));
  });

  test('takes its answer as it is once that is accepted', () => {
    const of = doubtful();
    expect(event(of.send({ type: 'accept', intervention }))).toMatchObject({ tag: 'write' });
    expect(event(of.send(completed('write', { path: 'x' })))).toMatchObject({
      result: { verdict: 'accepted', reasons: [], output: { answer: 'It rises.' } },
    });
  });

  test('without an answer has nothing that could be accepted', () => {
    const { of } = start({ output: { type: 'object' }, supervise: { rules } });
    of.send(answer('no JSON'));
    of.send({ type: 'accept', intervention });
    expect(event(of.send(completed('write', { path: 'x' })))).toMatchObject({
      result: { verdict: 'escalated' },
    });
  });

  test('hands over what it has answered', () => {
    const of = doubtful();
    of.send({ type: 'settle', handOver: true, intervention });
    expect(event(of.send(completed('write', { path: 'x' })))).toMatchObject({
      result: { verdict: 'escalated', reasons: [expect.any(String)], output: { answer: null } },
    });
  });

  test('asks another model in the next attempt alone', () => {
    const { of } = start({
      model: 'small',
      tools: ['read'],
      turns: 5,
      output: { type: 'object' },
      supervise: { rules },
      checks: certain(true),
    });
    of.send(answer('{"tool":"read","args":{"path":"a"}}', 0.1));
    const common = { attempt: 1, temperature: 0.4, seed: 8, grounding: null } as const;
    const retried = of.send({ type: 'retry', ...common, model: 'large', intervention });
    expect(retried).toMatchObject([{ arguments: { model: 'large' } }]);
    of.send(answer('{"tool":"read","args":{"path":"a"}}'));
    expect(of.send(completed('tool', { text: 'x' }))).toMatchObject([
      { arguments: { model: 'small' } },
    ]);
  });

  test('makes the call that was doubted, once that is accepted', () => {
    const { of } = start({
      tools: ['read'],
      turns: 5,
      output: { type: 'object' },
      supervise: { toolLoop: 2, rules: [{ when: 'tool-loop', do: 'pause' }] },
    });
    const call = answer('{"tool":"read","args":{"path":"a"}}');
    of.send(call);
    of.send(completed('tool', { text: 'x' }));
    expect(event(of.send(call))).toMatchObject({ detector: 'tool-loop' });
    expect(of.send({ type: 'accept', intervention })).toMatchObject([{ operation: 'read' }]);
  });
});

test('a critic asks once about the answer, and writes nothing', () => {
  const critic = {
    agent: 'critic',
    of: 'work',
    each: 'e',
    question: 'Q',
    answer: 'A',
    reasons: ['R'],
  };
  const { of, intentions } = start({}, { step: 'critic:work', critic });
  expect(intentions).toMatchObject([
    {
      arguments: {
        messages: [
          { role: 'system', content: 'You judge m.txt.' },
          { role: 'user', content: 'e: Q A ["R"]' },
        ],
      },
    },
  ]);
  expect(event(of.send(answer('{"accept":true}')))).toMatchObject({
    type: 'agent-done',
    step: 'critic:work',
    result: { verdict: 'accepted', output: { accept: true } },
  });
});

test.each(['local-only', 'any'])(
  'a critic keeps what it reads %s, as the agent does',
  (privacy) => {
    const critic = {
      agent: 'critic',
      of: 'work',
      each: null,
      question: 'What rises?',
      answer: 'The rent.',
      reasons: ['Unsure.'],
    };
    const { intentions } = start({ privacy }, { step: 'critic:work', critic });
    const [asked] = intentions;
    if (asked?.kind !== 'act') throw new Error('a critic asks');
    expect(asked.arguments.privacy).toBe(privacy === 'local-only' ? 'local-only' : undefined);
  },
);
