import { describe, expect, test } from 'vitest';
import { setup } from 'xstate';
import type { TimedEvent } from '../../src/actors/event.ts';
import { isMachineName, newestVersion } from '../../src/actors/machines.ts';
import {
  actorHash,
  initialState,
  stateFromJson,
  stateToJson,
  step,
  stepMachine,
} from '../../src/actors/step.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { findNonJson } from '../../src/kernel/json.ts';
import { answer, definitionText, halt, started } from './machines.ts';

const machines = ['pipeline', 'supervisor', 'agent'] as const;
const definition = definitionText({
  name: 'demo',
  agents: { worker: { prompt: 'x' } },
  steps: [{ id: 'work', agent: 'worker' }],
});

function asking() {
  return started('agent', {
    type: 'start',
    machine: 'agent',
    self: actorId('run/supervisor/work'),
    parent: actorId('run/supervisor'),
    definition,
    seed: 1,
    step: 'work',
    variables: { document: null, steps: '{}', items: null, run: { name: 'demo', seed: 1 } },
  }).of;
}

describe('stepping a machine', () => {
  test('is pure: the state before stays, and the same event gives the same again', () => {
    const before = asking().state;
    const hash = actorHash(before);
    const event: TimedEvent = { ...halt('unsure'), at: 7 };
    const [first, second] = [step(before, event), step(before, event)];
    expect(actorHash(before)).toBe(hash);
    expect(second.intentions).toEqual(first.intentions);
    expect(actorHash(second.state)).toBe(actorHash(first.state));
    expect(actorHash(first.state)).not.toBe(hash);
  });

  test('an event that a state does not know changes nothing', () => {
    const before = asking().state;
    const { state, intentions } = step(before, { type: 'settle', at: 7 });
    expect(intentions).toEqual([]);
    expect(actorHash(state)).toBe(actorHash(before));
  });

  test('an action that is not the machine’s own is a broken invariant', () => {
    const machine = setup({ actions: { loud: () => undefined } }).createMachine({
      id: 'odd',
      on: { go: { actions: 'loud' } },
    });
    const snapshot = stepMachine(machine, machine.resolveState({ value: {} }), {
      event: { type: 'other' },
      action: 'intend',
    }).snapshot;
    expect(() =>
      stepMachine(machine, snapshot, { event: { type: 'go' }, action: 'intend' }),
    ).toThrow('no action loud');
  });
});

describe('the state as JSON', () => {
  test.each(machines)('of a new %s is plain and comes back the same', (name) => {
    const json = stateToJson(initialState(name));
    expect(findNonJson(json)).toBeNull();
    const again = stateFromJson(name, JSON.parse(JSON.stringify(json)));
    expect(stateToJson(again)).toEqual(json);
    expect(actorHash(again)).toBe(actorHash(initialState(name)));
    expect(newestVersion(name)).toBe(`${name}@1`);
  });

  test('of an ended machine is ended when it comes back', () => {
    const of = asking();
    of.send(answer('yes'));
    const json = stateToJson(of.state);
    expect(findNonJson(json)).toBeNull();
    expect(json.status).toBe('done');
    const again = stateFromJson('agent', json);
    expect(step(again, { type: 'cancel', at: 9 }).intentions).toEqual([]);
    expect(actorHash(again)).toBe(actorHash(of.state));
  });

  test('names of machines are checked', () => {
    expect(machines.every(isMachineName)).toBe(true);
    expect(['actuator', 'constructor', ''].some(isMachineName)).toBe(false);
  });
});
