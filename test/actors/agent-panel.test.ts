/** An agent whose answers a panel examines: when it calls one, and what it makes of the findings. */
import { describe, expect, test } from 'vitest';
import type { ActorEvent, StartAgentEvent } from '../../src/actors/event.ts';
import type { Intention } from '../../src/actors/intention.ts';
import { stateToJson } from '../../src/actors/step.ts';
import type { Validation } from '../../src/actors/validation.ts';
import { actorId } from '../../src/kernel/ids.ts';
import type { Json } from '../../src/kernel/json.ts';
import { answer, completed, definitionText, halt, started } from './machines.ts';

const self = actorId('run/supervisor/work');
const parent = actorId('run/supervisor');

function start(agent: object = {}, step: object = {}) {
  const event: StartAgentEvent = {
    type: 'start',
    machine: 'agent',
    self,
    parent,
    definition: definitionText({
      name: 'demo',
      agents: {
        worker: {
          prompt: 'Q: {{document.text}} {{each}}',
          validate: { pattern: 'code', source: 'true' },
          ...agent,
        },
      },
      tools: {
        calc: {
          actuator: 'sandbox',
          operation: 'run',
          parameters: ['a'],
          arguments: { source: '{{a}} * 2' },
        },
      },
      steps: [{ id: 'work', agent: 'worker', map: 'documents', ...step }],
    }),
    seed: 7,
    step: 'work',
    variables: {
      document: { name: 'm.txt', text: 'The key is in Bonn.', part: 0 },
      steps: JSON.stringify({ before: { output: ['a', 'b'] } }),
      items: null,
      run: { name: 'demo', seed: 7 },
    },
  };
  return started('agent', event);
}

function only(intentions: readonly Intention[]): Intention {
  const [intention] = intentions;
  if (intentions.length !== 1 || intention === undefined) throw new Error('one intention');
  return intention;
}

function spawned(intentions: readonly Intention[]) {
  const intention = only(intentions);
  if (intention.kind !== 'spawn' || intention.event.type !== 'start') throw new Error('a spawn');
  expect(intention.machine).toBe('panel');
  return { to: intention.to, event: intention.event };
}

function told(intentions: readonly Intention[]) {
  const intention = only(intentions);
  if (intention.kind !== 'send') throw new Error('a send is expected');
  return intention.event;
}

const cost: Validation = {
  pattern: 'code',
  panels: 1,
  generations: 1,
  promptTokens: 5,
  answerTokens: 2,
  programs: 1,
  evidence: ['program says "true".'],
};

function found(
  reasons: readonly string[],
  output: Json = 'Bonn',
  evidence = cost.evidence,
): ActorEvent {
  return { type: 'panel-done', output, reasons, validation: { ...cost, evidence } };
}

describe('an answer that no check doubts', () => {
  test('is given to a panel with all that it may read', () => {
    const { of } = start({ system: 'Short.' });
    expect(spawned(of.send(answer('Bonn')))).toEqual({
      to: actorId('run/supervisor/work/panel-1-1'),
      event: expect.objectContaining({
        machine: 'panel',
        parent: self,
        step: 'work',
        seed: 7,
        question: 'Q: The key is in Bonn. ',
        asked: [
          { role: 'system', content: 'Short.' },
          { role: 'user', content: 'Q: The key is in Bonn. ' },
        ],
        answer: 'Bonn',
        each: null,
      }),
    });
  });

  test('stands where the panel finds nothing; the result tells what it took', () => {
    const { of } = start();
    of.send(answer('Köln'));
    expect(told(of.send(found([], 'Bonn')))).toEqual({
      type: 'agent-done',
      step: 'work',
      result: {
        verdict: 'accepted',
        output: 'Bonn',
        reasons: [],
        confidence: 0.9,
        attempts: 1,
        validation: cost,
      },
    });
    expect(of.done).toBe(true);
  });

  test('is a doubt where the panel objects; after a retry another panel examines the next', () => {
    const { of } = start();
    of.send(answer('Köln'));
    expect(told(of.send(found(['Not so.'], 'Köln', ['no'])))).toMatchObject({
      type: 'agent-doubt',
      attempt: 0,
      detector: null,
      reasons: ['Not so.'],
    });
    of.send({ type: 'retry', attempt: 1, temperature: 0.4, seed: 8, grounding: 'Only Bonn.' });
    expect(spawned(of.send(answer('Bonn')))).toMatchObject({
      to: actorId('run/supervisor/work/panel-1-2'),
      event: { seed: 8, asked: [{ content: 'Only Bonn.' }], question: 'Q: The key is in Bonn. ' },
    });
    expect(told(of.send(found([])))).toMatchObject({
      result: {
        verdict: 'accepted',
        attempts: 2,
        validation: { panels: 2, generations: 2, programs: 2, evidence: cost.evidence },
      },
    });
  });

  test('that it objects to is a doubt that a rule can be for', () => {
    const rules = [{ when: 'validate', do: 'human' }];
    const { of } = start({ supervise: { rules } });
    of.send(answer('Köln'));
    expect(told(of.send(found(['Not so.'], 'Köln', ['no'])))).toMatchObject({
      watched: { findings: [{ source: 'validate', evidence: 'Not so.' }], again: true },
    });
  });

  test('that stays doubted goes to a human with the reasons', () => {
    const { of } = start();
    of.send(answer('Köln'));
    of.send(found(['Not so.'], 'Köln'));
    expect(told(of.send({ type: 'settle' }))).toMatchObject({
      type: 'agent-done',
      result: { verdict: 'flagged', output: 'Köln', reasons: ['Not so.'], validation: cost },
    });
  });

  test('is examined before its call is made, and a doubted call is never made', () => {
    const agent = { tools: ['calc'], output: { type: 'object' } };
    const call = { tool: 'calc', args: { a: 2 } };
    const { of } = start(agent);
    expect(spawned(of.send(answer(JSON.stringify(call)))).event).toMatchObject({ answer: call });
    expect(only(of.send(found([], call)))).toMatchObject({ kind: 'act', tag: 'tool' });
    expect(told(of.send(completed('tool', 4)))).toMatchObject({
      result: { output: { ...call, result: 4 }, validation: cost },
    });
    const other = start(agent).of;
    other.send(answer(JSON.stringify(call)));
    other.send(found(['No.'], call));
    expect(told(other.send({ type: 'settle' }))).toMatchObject({
      result: { verdict: 'flagged', output: call },
    });
  });

  test('of each element has its panel, and the result the sum of them', () => {
    const { of } = start({}, { each: 'steps.before.output' });
    spawned(of.send(answer('A')));
    of.send(found([], 'A', ['one']));
    expect(spawned(of.send(answer('B')))).toMatchObject({
      to: actorId('run/supervisor/work/panel-2-1'),
      event: { each: 'b' },
    });
    expect(told(of.send(found([], 'B', ['two'])))).toMatchObject({
      result: {
        output: ['A', 'B'],
        attempts: 2,
        validation: { panels: 2, generations: 2, evidence: ['one', 'two'] },
      },
    });
  });

  test('of a conversation is examined turn by turn', () => {
    const { of } = start({ tools: ['calc'], output: { type: 'object' }, turns: 3 });
    const call = { tool: 'calc', args: { a: 2 } };
    of.send(answer(JSON.stringify(call)));
    of.send(found([], call));
    expect(only(of.send(completed('tool', 4)))).toMatchObject({ tag: 'generate' });
    expect(spawned(of.send(answer('{"sum":4}')))).toMatchObject({
      to: actorId('run/supervisor/work/panel-1-2'),
    });
    expect(told(of.send(found([], { sum: 4 })))).toMatchObject({
      result: { output: { sum: 4 }, attempts: 2, validation: { panels: 2 } },
    });
  });
});

describe('what is doubted already', () => {
  test('is not examined: a halted answer, and one that a check doubts', () => {
    expect(told(start().of.send(halt('unsure')))).toMatchObject({ type: 'agent-doubt' });
    const checked = start({ checks: [{ use: 'confidence', with: { min: 0.95 } }] }).of;
    expect(told(checked.send(answer('Bonn', 0.9)))).toMatchObject({ type: 'agent-doubt' });
  });
});

describe('the end', () => {
  test('of a panel that failed is the end of the agent, with its error', () => {
    const { of } = start();
    of.send(answer('Bonn'));
    const error = { code: 'INFERENCE_TIMEOUT', message: 'late', retryable: true } as const;
    expect(told(of.send({ type: 'panel-failed', error }))).toEqual({
      type: 'agent-failed',
      step: 'work',
      error,
    });
    expect(of.done).toBe(true);
  });

  test.each<ActorEvent>([
    { type: 'panel-cancelled' },
    found([]),
    { type: 'panel-failed', error: { code: 'INTERNAL', message: 'x' } },
  ])('by a cancel awaits the panel, whatever it says: $type', (last) => {
    const { of } = start();
    of.send(answer('Bonn'));
    expect(only(of.send({ type: 'cancel' }))).toEqual({
      kind: 'send',
      to: actorId('run/supervisor/work/panel-1-1'),
      event: { type: 'cancel' },
    });
    expect(told(of.send(last))).toEqual({ type: 'agent-cancelled', step: 'work' });
    expect(of.done).toBe(true);
  });
});

test('an agent without `validate` keeps nothing of it', () => {
  const { of } = start({ validate: undefined });
  expect(told(of.send(answer('Bonn')))).toEqual({
    type: 'agent-done',
    step: 'work',
    result: { verdict: 'accepted', output: 'Bonn', reasons: [], confidence: 0.9, attempts: 1 },
  });
  expect(stateToJson(of.state).context).not.toHaveProperty('validation');
});
