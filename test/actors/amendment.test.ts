/** Another definition for actors that are at work, as a fork brings it. */
import { describe, expect, test } from 'vitest';
import {
  type Actor,
  applyEvent,
  branchActor,
  newActor,
  type StepEffects,
} from '../../src/actors/actor.ts';
import type { ActorEvent, StartAgentEvent } from '../../src/actors/event.ts';
import type { MachineName } from '../../src/actors/intention.ts';
import { stateToJson } from '../../src/actors/step.ts';
import { actorId, newRunId } from '../../src/kernel/ids.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { answer, definitionText, failed } from './machines.ts';

const [run, fork] = [newRunId(), newRunId()];
const self = actorId('run/supervisor/work');
const parent = actorId('run/supervisor');

function definition(agent: object = {}): string {
  return definitionText({
    name: 'demo',
    agents: { worker: { prompt: 'Say A.', ...agent }, other: { prompt: 'x' } },
    tools: {
      read: { actuator: 'file', operation: 'read', parameters: [], arguments: { path: 'a' } },
    },
    steps: [{ id: 'work', agent: 'worker' }],
  });
}

function begin(machine: MachineName, agent: object = {}): StepEffects {
  const common = { type: 'start', self, parent, definition: definition(agent), seed: 1 } as const;
  const variables = { document: null, steps: '{}', items: null, run: { name: 'demo', seed: 1 } };
  const starts: Record<MachineName, ActorEvent> = {
    agent: { ...common, machine: 'agent', step: 'work', variables } satisfies StartAgentEvent,
    supervisor: { ...common, machine: 'supervisor' },
    pipeline: { ...common, machine: 'pipeline', scope: 'run', documents: [] },
    panel: {
      ...common,
      machine: 'panel',
      step: 'work',
      variables,
      each: null,
      question: 'Say A.',
      asked: [{ role: 'user', content: 'Say A.' }],
      answer: 'A',
    },
  };
  return applyEvent(
    newActor(run, self, machine),
    { from: parent, number: 1, event: starts[machine] },
    1,
  );
}

function amend(actor: Actor, text: string, number = 1): StepEffects {
  const event = { type: 'amend', definition: text } as const;
  return applyEvent(actor, { from: '@runtime', number, event }, 2);
}

function take(actor: Actor, event: ActorEvent): StepEffects {
  return applyEvent(actor, { from: '@actuator', number: 0, event }, 3);
}

function asked({ acts }: StepEffects): JsonObject {
  const [act] = acts;
  if (acts.length !== 1 || act === undefined) throw new Error('one act is expected');
  return act.intention.arguments as JsonObject;
}

const contextOf = ({ state }: Actor) => stateToJson(state).context;

describe('an amended definition', () => {
  test.each<MachineName>(['agent', 'supervisor', 'pipeline', 'panel'])(
    'holds for a %s',
    (machine) => {
      const validate = { pattern: 'code', source: 'true' };
      const text = definition({ prompt: 'Say B.', validate });
      const { actor } = amend(begin(machine, { validate }).actor, text);
      expect(contextOf(actor).definition).toBe(text);
    },
  );

  test('asks an open question again when it is another one, and aborts the first', () => {
    const before = begin('agent');
    const after = amend(before.actor, definition({ prompt: 'Say B.' }));
    expect(asked(after).messages).toEqual([{ role: 'user', content: 'Say B.' }]);
    expect(after.aborts).toEqual(before.acts);
    expect(Object.values(after.actor.open)).toEqual(after.acts);
    expect(after.acts[0]?.key).not.toBe(before.acts[0]?.key);
    const { sends } = take(after.actor, answer('B'));
    expect(sends.map(({ event }) => event.type)).toEqual(['agent-done']);
  });

  test.each([
    ['the temperature', { temperature: 0.9 }],
    ['the model', { model: 'other' }],
    ['the system prompt', { system: 'Be brief.' }],
  ])('asks again for %s', (_, change) => {
    expect(amend(begin('agent').actor, definition(change)).acts).toHaveLength(1);
  });

  test('leaves an open question alone that it does not change', () => {
    const before = begin('agent');
    const after = amend(before.actor, definition({ role: 'a worker', checks: [] }));
    expect(after).toMatchObject({ acts: [], aborts: [] });
    expect(after.actor.open).toEqual(before.actor.open);
    expect(contextOf(after.actor).definition).toBe(definition({ role: 'a worker', checks: [] }));
  });

  test('does nothing to an agent that does not wait for the model', () => {
    const calling = { tools: ['read'], output: { type: 'object' } };
    const { actor } = take(begin('agent', calling).actor, answer('{"tool":"read"}'));
    expect(Object.keys(actor.open)).toEqual(['tool']);
    const after = amend(actor, definition({ ...calling, prompt: 'Say B.' }));
    expect(after).toMatchObject({ acts: [], aborts: [] });
  });

  test('opens a conversation anew, and changes nothing that it has said', () => {
    const turns = { tools: ['read'], output: { type: 'object' }, turns: 3 };
    const first = begin('agent', turns);
    const opening = amend(first.actor, definition({ ...turns, prompt: 'Say B.' }));
    const node = { parent: null, items: [{ role: 'user', content: 'Say B.' }] };
    expect(asked(opening).context).toEqual(node);
    const calling = take(first.actor, answer('{"tool":"read"}')).actor;
    const second = take(calling, { ...failed('tool') });
    expect(amend(second.actor, definition({ ...turns, prompt: 'Say B.' })).acts).toEqual([]);
    const warmer = asked(amend(second.actor, definition({ ...turns, temperature: 0.9 })));
    const conversation = contextOf(second.actor).conversation as JsonObject;
    expect(warmer.context).toEqual({ parent: conversation.asked, items: [] });
  });
});

test('a branched actor has its open intentions under keys of its own run', () => {
  const { actor } = begin('agent');
  const branched = branchActor(actor, fork);
  expect(branched).toEqual({
    ...actor,
    run: fork,
    open: {
      generate: { ...actor.open.generate, key: actor.open.generate?.key.replace(run, fork) },
    },
  });
  expect(branched.open.generate?.key.startsWith(fork)).toBe(true);
  expect(take(branched, answer('A')).sends[0]?.run).toBe(fork);
});
