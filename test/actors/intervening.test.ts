/** A supervisor that follows rules: each deed, its evidence, its bounds. */
import { describe, expect, test } from 'vitest';
import type { ActorEvent, AgentDoubtEvent, StepVariables } from '../../src/actors/event.ts';
import type { Intention } from '../../src/actors/intention.ts';
import { stateToJson } from '../../src/actors/step.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { completed, definitionText, failed, result, started } from './machines.ts';

const self = actorId('run/document-1/supervisor');
const parent = actorId('run/document-1');
const variables: StepVariables = {
  document: { name: 'm.txt', text: 'The key is in Bonn. The sun is out.', part: 0 },
  steps: '{}',
  items: null,
  run: { name: 'demo', seed: 7 },
};

const critic = {
  prompt: 'Is {{answer}} right for {{question}}, although {{reasons}}? {{document.name}} {{each}}',
  output: { type: 'object', properties: { accept: { type: 'boolean' } } },
};

function start(rules: readonly object[], supervise: object = {}, agent: object = {}) {
  const definition = definitionText({
    name: 'demo',
    agents: {
      worker: { prompt: 'x', supervise: { retries: 0, rules, ...supervise }, ...agent },
      critic,
    },
    steps: [{ id: 'one', agent: 'worker', map: 'documents' }],
  });
  const { of } = started('supervisor', {
    type: 'start',
    machine: 'supervisor',
    self,
    parent,
    definition,
    seed: 7,
  });
  of.send({ type: 'run-step', step: 'one', variables });
  return of;
}

type Of = ReturnType<typeof start>;

function doubt(source: string, attempt = 0, more: Partial<AgentDoubtEvent> = {}): AgentDoubtEvent {
  const finding = { source, evidence: `It is ${source}.` };
  return {
    type: 'agent-doubt',
    step: 'one',
    attempt,
    each: null,
    question: 'Where is the key?',
    detector: null,
    reasons: [finding.evidence],
    watched: { findings: [finding], again: true, answer: 'Rome' },
    ...more,
  };
}

const evidence = (source: string) => [{ source, evidence: `It is ${source}.` }];

function sent(intentions: readonly Intention[]): (ActorEvent & { readonly to: string })[] {
  return intentions.flatMap((each) =>
    each.kind === 'send' || each.kind === 'spawn' ? [{ to: each.to, ...each.event }] : [],
  );
}

const agent = `${self}/one`;
const waits = (of: Of) => JSON.stringify(stateToJson(of.state).context).includes('"waiting"');

describe('a rule', () => {
  test('resamples with the temperature and seed that it names, or the next ones', () => {
    const of = start([
      { when: 'format', do: 'resample', temperature: 1.5, seed: 99 },
      { when: 'format', do: 'resample' },
    ]);
    const [first] = sent(of.send(doubt('format')));
    expect(first).toEqual({
      to: agent,
      type: 'retry',
      attempt: 1,
      temperature: 1.5,
      seed: 99,
      grounding: null,
      intervention: {
        rule: 0,
        when: 'format',
        do: 'resample',
        attempt: 0,
        findings: evidence('format'),
      },
    });
    expect(sent(of.send(doubt('format', 1)))).toMatchObject([
      { attempt: 2, temperature: 0.7, seed: 9, intervention: { rule: 1, attempt: 1 } },
    ]);
  });

  test('grounds with its own prompt, over facts, reasons and pins', () => {
    const of = start(
      [{ when: 'any', do: 'ground', prompt: '{{facts}} {{reasons}} {{pins}} {{document.name}}' }],
      {},
      { pins: ['Say {{document.name}}.'] },
    );
    expect(sent(of.send(doubt('format')))).toMatchObject([
      { grounding: 'The key is in Bonn. ["It is format."] ["Say m.txt."] m.txt' },
    ]);
  });

  test('asks another model', () => {
    const of = start([{ when: 'any', do: 'switch-model', model: 'large' }]);
    expect(sent(of.send(doubt('format')))).toMatchObject([
      { type: 'retry', model: 'large', intervention: { do: 'switch-model' } },
    ]);
  });

  test('hands over, or stops the run, with the reason', () => {
    const human = start([{ when: 'any', do: 'human' }]);
    expect(sent(human.send(doubt('format')))).toMatchObject([
      { to: agent, type: 'settle', handOver: true, intervention: { do: 'human' } },
    ]);
    const stop = start([{ when: 'any', do: 'stop' }]);
    expect(sent(stop.send(doubt('format')))).toMatchObject([
      { to: agent, type: 'hold', intervention: { do: 'stop' } },
      {
        to: parent,
        type: 'stop-run',
        error: {
          code: 'RUN_STOPPED',
          message: 'The supervisor stopped the run at the step one: It is format.',
        },
      },
    ]);
  });

  test('is for its own doubt, and “any” for every one that asking again could help', () => {
    const of = start([
      { when: 'tool-loop', do: 'human' },
      { when: 'any', do: 'stop' },
    ]);
    const plain = { findings: evidence('evidence'), again: false, answer: '' };
    expect(sent(of.send(doubt('evidence', 0, { watched: plain })))).toEqual([
      { to: agent, type: 'settle' },
    ]);
    expect(sent(of.send(doubt('tool-loop')))).toMatchObject([{ intervention: { rule: 0 } }]);
    expect(sent(of.send(doubt('format')))[0]).toMatchObject({ intervention: { rule: 1 } });
  });

  test('is used as often as it says in a step; what remains is decided as without rules', () => {
    const of = start([{ when: 'any', do: 'resample', max: 2 }], { retries: 3, grounding: 'G' });
    for (const attempt of [0, 1]) {
      expect(sent(of.send(doubt('format', attempt)))).toMatchObject([
        { intervention: { rule: 0 }, grounding: null },
      ]);
    }
    const [third] = sent(of.send(doubt('format', 2)));
    expect(third).toMatchObject({ type: 'retry', attempt: 3, grounding: 'G' });
    expect(third).not.toHaveProperty('intervention');
    expect(sent(of.send(doubt('format', 3)))).toEqual([{ to: agent, type: 'settle' }]);
  });

  test('a doubt that only flags is not asked again once its rules are used up', () => {
    const of = start([{ when: 'evidence', do: 'resample' }], { retries: 5 });
    const watched = { findings: evidence('evidence'), again: false, answer: '' };
    expect(sent(of.send(doubt('evidence', 0, { watched })))).toMatchObject([{ type: 'retry' }]);
    expect(sent(of.send(doubt('evidence', 1, { watched })))).toMatchObject([{ type: 'settle' }]);
  });
});

describe('a pause', () => {
  const rules = [
    { when: 'any', do: 'pause' },
    { when: 'any', do: 'human' },
  ];

  function paused() {
    const of = start(rules);
    const intentions = of.send(doubt('format'));
    expect(sent(intentions)).toMatchObject([{ to: agent, type: 'hold' }]);
    expect(intentions[1]).toMatchObject({
      kind: 'act',
      tag: 'pause:one',
      actuator: 'human',
      operation: 'decide',
      effect: 'once',
      arguments: { step: 'one', attempt: 0, findings: evidence('format') },
    });
    expect(waits(of)).toBe(true);
    return of;
  }

  test.each([
    ['retry', { type: 'retry', attempt: 1, grounding: null }],
    ['accept', { type: 'accept' }],
    ['hand-over', { type: 'settle', handOver: true }],
  ])('goes on as the person says: %s', (decision, told) => {
    const of = paused();
    expect(sent(of.send(completed('pause:one', { decision })))).toMatchObject([
      { to: agent, ...told, intervention: { rule: 0, do: 'pause', decided: decision } },
    ]);
    expect(waits(of)).toBe(false);
  });

  test('takes the prompt of the person, and stops the run if they say so', () => {
    const of = paused();
    const value = { decision: 'retry', prompt: 'Look at the first sentence.' };
    expect(sent(of.send(completed('pause:one', value)))).toMatchObject([
      { grounding: 'Look at the first sentence.' },
    ]);
    const other = paused();
    expect(sent(other.send(completed('pause:one', { decision: 'stop' })))).toMatchObject([
      { type: 'hold', intervention: { decided: 'stop' } },
      { to: parent, type: 'stop-run' },
    ]);
  });

  test('that nobody can be asked for falls to the next rule, with the reason', () => {
    expect(sent(paused().send(failed('pause:one')))).toMatchObject([
      {
        type: 'settle',
        handOver: true,
        intervention: { rule: 1, findings: [...evidence('format'), { source: 'pause' }] },
      },
    ]);
  });

  test('ends with a cancel: the agent is told, and nobody is waited for', () => {
    const of = paused();
    expect(of.send({ type: 'cancel' })).toEqual([
      { kind: 'send', to: agent, event: { type: 'cancel' } },
      { kind: 'abort', tag: 'pause:one' },
    ]);
    expect(sent(of.send({ type: 'agent-cancelled', step: 'one' }))).toEqual([
      { to: parent, type: 'supervisor-stopped' },
    ]);
  });
});

describe('a critic', () => {
  const rules = [{ when: 'any', do: 'critic', agent: 'critic', max: 2 }];

  function asked(more: readonly object[] = [], supervise: object = {}) {
    const of = start([...rules, ...more], supervise);
    const [hold, spawned] = sent(of.send(doubt('format', 0, { each: 'e' })));
    expect(hold).toMatchObject({ to: agent, type: 'hold', intervention: { do: 'critic' } });
    expect(spawned).toMatchObject({
      to: `${self}/one.critic-1`,
      type: 'start',
      step: 'critic:one',
      critic: { agent: 'critic', of: 'one', each: 'e', answer: 'Rome' },
    });
    return of;
  }

  const says = (output: object, more: object = {}): ActorEvent => ({
    type: 'agent-done',
    step: 'critic:one',
    result: result({ output: output as never, ...more }),
  });

  test('that accepts lets the answer stand', () => {
    const of = asked();
    expect(sent(of.send(says({ accept: true, reason: 'It is.' })))).toMatchObject([
      {
        to: agent,
        type: 'accept',
        intervention: { decided: 'accept', findings: [{ source: 'critic', evidence: 'It is.' }] },
      },
    ]);
    expect(waits(of)).toBe(false);
  });

  test('that rejects leaves it to the next rule, its reason among the others', () => {
    const of = asked([{ when: 'any', do: 'ground', prompt: '{{reasons}}' }]);
    expect(sent(of.send(says({ accept: false, reason: 'It is Bonn.' })))).toMatchObject([
      { type: 'retry', grounding: '["It is format.", "It is Bonn."]', intervention: { rule: 1 } },
    ]);
    // The next doubt may ask another critic, which has another name.
    expect(sent(of.send(doubt('format', 1)))).toMatchObject([
      { type: 'hold' },
      { to: `${self}/one.critic-2` },
    ]);
  });

  test.each<[string, ActorEvent, string]>([
    [
      'fails',
      {
        type: 'agent-failed',
        step: 'critic:one',
        error: { code: 'INFERENCE_TIMEOUT', message: 'late', retryable: true },
      },
      'late',
    ],
    ['does not decide', says({ other: 1 }), 'The critic did not decide.'],
    [
      'gave no answer',
      says(null as never, { reasons: ['unsure'] }),
      'The critic did not decide. unsure',
    ],
  ])('that %s has no word', (_, event, why) => {
    const of = asked();
    expect(sent(of.send(event))).toEqual([
      {
        to: agent,
        type: 'settle',
        intervention: {
          rule: 0,
          when: 'any',
          do: 'critic',
          attempt: 0,
          decided: 'none',
          findings: [{ source: 'critic', evidence: why }],
        },
      },
    ]);
  });

  test('has one attempt itself', () => {
    const of = asked();
    expect(sent(of.send({ ...doubt('format'), step: 'critic:one' }))).toEqual([
      { to: `${self}/one.critic-1`, type: 'settle' },
    ]);
  });

  test('and the agent that it decides about are both cancelled', () => {
    const of = asked();
    expect(sent(of.send({ type: 'cancel' })).map(({ to }) => to)).toEqual([
      agent,
      `${self}/one.critic-1`,
    ]);
    of.send({ type: 'agent-cancelled', step: 'one' });
    expect(of.done).toBe(false);
    of.send({ type: 'agent-cancelled', step: 'critic:one' });
    expect(of.done).toBe(true);
  });
});
