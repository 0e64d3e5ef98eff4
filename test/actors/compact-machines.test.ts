/** The machines of the product, compiled, against XState: random events in any order, sensible or not. */
import { describe, expect, test } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { agentMachine } from '../../src/actors/agent.ts';
import { noConversation } from '../../src/actors/conversation.ts';
import type { ActorEvent, StepVariables } from '../../src/actors/event.ts';
import type { Intervention } from '../../src/actors/intervention.ts';
import { panelMachine } from '../../src/actors/panel.ts';
import { pipelineMachine } from '../../src/actors/pipeline.ts';
import { supervisorMachine } from '../../src/actors/supervisor.ts';
import type { ErrorMessage } from '../../src/kernel/errors.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { BothSteppers, diceOf } from './both-steppers.ts';
import { answer, completed, definitionText, failed, halt, result } from './machines.ts';

const sequences = 10_000;
const eventsPerSequence = 8;

const recovery = { write: { path: 'human/{{step}}', template: '{{document.text}}{{reasons}}' } };
const rules = [
  { when: 'tool-loop', do: 'pause' },
  { when: 'confidence', do: 'critic', agent: 'worker', max: 3 },
  { when: 'confidence', do: 'stop' },
  { when: 'any', do: 'human' },
];
const intervention: Intervention = {
  rule: 0,
  when: 'any',
  do: 'pause',
  attempt: 0,
  findings: [{ source: 'format', evidence: 'odd' }],
};
const definitions = [
  { turns: 1, output: {} },
  { turns: 1, output: { output: { type: 'object' } } },
  { turns: 3, output: { output: { type: 'object' } }, recovery: true },
  { turns: 3, output: { output: { type: 'object' } }, rules: true },
  { turns: 1, output: { validate: { pattern: 'vote', samples: 2 } } },
  {
    turns: 1,
    output: {
      validate: { pattern: 'debate', opponents: ['one', 'two'], judge: 'chair', rounds: 1 },
    },
  },
  { turns: 1, output: { validate: { pattern: 'code', source: 'true' } } },
].map((each) =>
  definitionText({
    name: 'demo',
    agents: {
      worker: {
        prompt: 'Q: {{document.text}} {{each}}',
        tools: ['calc'],
        checks: [{ use: 'confidence', with: { min: 0.8 } }],
        supervise: { retries: 1, ...(each.rules === true ? { toolLoop: 2, rules } : {}) },
        ...(each.rules === true
          ? { pins: ['Be brief.'], context: { budget: { characters: 200 } } }
          : {}),
        ...each.output,
        ...(each.turns > 1 ? { turns: each.turns } : {}),
      },
      one: { prompt: 'For {{answer}}' },
      two: { prompt: 'Against {{answer}}' },
      chair: { prompt: '{{debate}}', output: { type: 'object' } },
    },
    tools: {
      calc: {
        actuator: 'sandbox',
        operation: 'run',
        parameters: ['a'],
        arguments: { source: '{{a}} * 2' },
      },
    },
    ...(each.recovery === true ? { recovery } : {}),
    steps: [
      {
        id: 'one',
        agent: 'worker',
        map: 'documents',
        write: { path: 'x-{{document.name}}', template: 'heard' },
        retry: { maxAttempts: 2, backoffMs: 100, factor: 2 },
      },
      { id: 'two', agent: 'worker', map: 'documents', needs: ['one'] },
      { id: 'all', agent: 'worker', needs: ['two'] },
    ],
  }),
);
const [definition = '', other = '', third = '', ruled = '', vote = '', debate = ''] = definitions;

const variables: StepVariables = {
  document: { name: 'm.txt', text: 'The key is in Bonn. The sun is out.', part: 0 },
  steps: '{}',
  items: null,
  run: { name: 'demo', seed: 7 },
};
const hashes = ['a', 'b'].map((letter) => letter.repeat(64));
const documents = hashes.map((sha256, index) => ({ name: `m${index}.txt`, sha256, part: null }));
const parent = actorId('run');
const call = JSON.stringify({ tool: 'calc', args: { a: 2 } });
const refusedCall = JSON.stringify({ tool: 'rm', args: {} });
const late: ErrorMessage = { code: 'INFERENCE_TIMEOUT', message: 'late', retryable: true };
const steps = ['one', 'two', 'all', 'none'];

const common: readonly ActorEvent[] = [
  { type: 'cancel' },
  { type: 'amend', definition },
  { type: 'amend', definition: other },
  { type: 'amend', definition: third },
  { type: 'amend', definition: ruled },
  { type: 'amend', definition: vote },
  { type: 'amend', definition: debate },
  { type: 'amend', definition: 'not a definition' },
];

function found(reasons: readonly string[]): ActorEvent {
  const cost = { panels: 1, generations: 1, promptTokens: 3, answerTokens: 1, programs: 0 };
  const validation = { pattern: 'vote', ...cost, evidence: ['said'] } as const;
  return { type: 'panel-done', output: 'Bonn', reasons, validation };
}

const ofAgent: readonly ActorEvent[] = [
  answer('Bonn'),
  answer('Bonn', 0.1),
  answer(call),
  answer(refusedCall),
  answer('{}'),
  answer('', null),
  halt('unsure'),
  failed('generate'),
  completed('tool', { value: 4 }),
  failed('tool'),
  completed('write', { path: 'x', bytes: 1, sha256: 'x' }),
  failed('write', late),
  completed('another', {}),
  { type: 'retry', attempt: 2, temperature: 0.3, seed: 9, grounding: null },
  { type: 'retry', attempt: 3, temperature: 0.5, seed: 9, grounding: 'Only Bonn.' },
  { type: 'retry', attempt: 3, temperature: 0, seed: 9, grounding: null, model: 'm', intervention },
  { type: 'settle' },
  { type: 'settle', handOver: true, intervention },
  { type: 'hold', intervention },
  { type: 'accept', intervention },
  found([]),
  found(['Not so.']),
  { type: 'panel-failed', error: late },
  { type: 'panel-cancelled' },
];

const lost: ErrorMessage = { code: 'SANDBOX_CRASHED', message: 'gone', retryable: true };
const generation = { status: 'completed', minConfidence: 0.9, halt: null };
const usage = { promptTokens: 3, answerTokens: 1 };

const ofPanel: readonly ActorEvent[] = ['0-0', '0-1', '1-0'].flatMap((place): ActorEvent[] => [
  completed(`generate:${place}`, { ...generation, text: 'Bonn', usage }),
  completed(`generate:${place}`, { ...generation, text: '{"supported":true}', usage }),
  completed(`generate:${place}`, { ...generation, text: 'Bonn', minConfidence: 0.1 }),
  completed(`program:${place}`, true),
  completed(`program:${place}`, ['no']),
  failed(`program:${place}`),
  failed(`program:${place}`, lost),
  failed(`generate:${place}`, late),
]);

const ofSupervisor: readonly ActorEvent[] = steps.flatMap((step): ActorEvent[] => [
  { type: 'run-step', step, variables },
  {
    type: 'agent-doubt',
    step,
    attempt: 1,
    each: null,
    question: 'Where?',
    detector: 'confidence',
    reasons: ['unsure'],
  },
  {
    type: 'agent-doubt',
    step,
    attempt: 2,
    each: 'x',
    question: 'Where?',
    detector: null,
    reasons: ['unsure', 'still'],
  },
  ...['tool-loop', 'confidence', 'format'].map(
    (source): ActorEvent => ({
      type: 'agent-doubt',
      step,
      attempt: 1,
      each: null,
      question: 'Where?',
      detector: source,
      reasons: ['unsure'],
      watched: { findings: [{ source, evidence: 'unsure' }], again: true, answer: 'Bonn' },
    }),
  ),
  { type: 'agent-done', step, result: result() },
  { type: 'agent-done', step: `critic:${step}`, result: result({ output: { accept: true } }) },
  { type: 'agent-done', step: `critic:${step}`, result: result({ output: { accept: false } }) },
  { type: 'agent-failed', step: `critic:${step}`, error: late },
  completed(`pause:${step}`, { decision: 'retry', prompt: 'Think.' }),
  completed(`pause:${step}`, { decision: 'accept' }),
  failed(`pause:${step}`),
  { type: 'agent-done', step, result: result({ verdict: 'escalated', reasons: ['no'] }) },
  { type: 'agent-failed', step, error: late },
  { type: 'agent-failed', step, error: { ...late, retryable: false } },
  {
    type: 'agent-failed',
    step,
    error: late,
    progress: { answers: [], conversation: noConversation },
  },
  { type: 'agent-cancelled', step },
  completed(`backoff:${step}`, {}),
  completed(`recover:${step}`, {}),
  failed(`recover:${step}`),
]);

/** Too long to be kept in the state, so that the pipeline reads it back. */
const items = hashes.map((_, index) =>
  JSON.stringify({ document: `m${index}`, steps: { one: result({ output: 'x'.repeat(9_000) }) } }),
);

const ofPipeline: readonly ActorEvent[] = [
  completed('document', { texts: { [hashes[0] ?? '']: 'The key is in Bonn.' } }),
  failed('document'),
  completed('items', { texts: Object.fromEntries(items.map((item) => [sha256(item), item])) }),
  failed('items'),
  { type: 'supervisor-stopped' },
  { type: 'stop-run', error: { code: 'RUN_STOPPED', message: 'enough' } },
  ...steps.flatMap((step): ActorEvent[] => [
    { type: 'step-done', step, result: result() },
    { type: 'step-done', step, result: result({ verdict: 'escalated' }) },
    { type: 'shared-step-done', step, result: JSON.stringify(result()) },
  ]),
  ...[0, 1].flatMap((index): ActorEvent[] => [
    { type: 'document-cancelled', index },
    {
      type: 'document-done',
      index,
      item: items[index] ?? '',
      digest: hashes[index] ?? '',
      handedToHuman: index === 1,
      notRun: index === 1 ? ['two'] : [],
      failure: index === 1 ? { code: 'X', message: 'x' } : null,
    },
  ]),
];

function startOf(name: string, roll: (sides: number) => number): ActorEvent {
  // Sometimes that of another machine, which every machine refuses.
  const machine =
    roll(25) === 0 ? (['agent', 'supervisor', 'pipeline', 'panel'][roll(4)] ?? name) : name;
  const text = definitions[roll(definitions.length)] ?? '';
  const start = { type: 'start', self: actorId('run/it'), definition: text, seed: 7 } as const;
  switch (machine) {
    case 'agent':
      return { ...start, machine, parent, step: steps[roll(2)] ?? '', variables };
    case 'supervisor':
      return { ...start, machine, parent };
    case 'panel':
      return {
        ...start,
        machine,
        parent,
        step: steps[roll(2)] ?? '',
        variables,
        each: null,
        question: 'Where?',
        asked: [{ role: 'user', content: 'Where?' }],
        answer: 'Bonn',
      };
    default:
      return roll(2) === 0
        ? { ...start, machine: 'pipeline', scope: 'run', documents: documents.slice(0, roll(3)) }
        : {
            ...start,
            machine: 'pipeline',
            scope: 'document',
            parent,
            index: 0,
            document: documents[0] as (typeof documents)[0],
          };
  }
}

function statesOf(machine: AnyStateMachine): string[] {
  return Object.keys(machine.states).sort();
}

describe.each([
  ['agent', agentMachine, ofAgent],
  ['supervisor', supervisorMachine, ofSupervisor],
  ['pipeline', pipelineMachine, ofPipeline],
  ['panel', panelMachine, ofPanel],
] as const)('the %s', (name, machine, pool) => {
  test(`does the same in ${sequences} random sequences, which reach all its states`, () => {
    const dice = diceOf(name.length);
    const reached = new Set<unknown>();
    const seen = { emitted: 0, failed: 0, unhandled: 0 };
    for (let sequence = 0; sequence < sequences; sequence += 1) {
      const both = new BothSteppers(machine);
      for (let index = 0; index < eventsPerSequence; index += 1) {
        const begins = index === 0 ? dice(20) > 0 : dice(40) === 0;
        const events = dice(8) === 0 ? common : pool;
        const event = begins ? startOf(name, dice) : events[dice(events.length)];
        const { emitted, error, sameSnapshot } = both.take({
          ...(event as ActorEvent),
          ...{ at: 1_000 + index },
        });
        reached.add(both.value);
        if (emitted !== '[]') seen.emitted += 1;
        if (error !== null) seen.failed += 1;
        else if (sameSnapshot) seen.unhandled += 1;
        if (dice(30) === 0) both.restore();
      }
    }
    // What rests nowhere is passed on the way: `choosing`, `judging`.
    const passing = statesOf(machine).filter((state) => !reached.has(state));
    const onTheWay = { agent: ['choosing', 'judging'], panel: ['deciding'] };
    expect(passing).toEqual(onTheWay[name as keyof typeof onTheWay] ?? []);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100);
  }, 120_000);
});
