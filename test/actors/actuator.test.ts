import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { getInitialSnapshot } from 'xstate';
import {
  type ActuatorCommand,
  type ActuatorEvent,
  type ActuatorLimits,
  actuatorMachine,
} from '../../src/actors/actuator.ts';
import { stepMachine } from '../../src/actors/step.ts';
import type { MachineSnapshot } from '../../src/actors/stepper.ts';

class Driven {
  #snapshot: MachineSnapshot;

  constructor(limits: ActuatorLimits) {
    this.#snapshot = getInitialSnapshot(actuatorMachine, limits) as MachineSnapshot;
  }

  get state(): unknown {
    return this.#snapshot.value;
  }

  send(event: ActuatorEvent): string[] {
    const taken = { event, action: 'command' };
    const { snapshot, emitted } = stepMachine<ActuatorCommand>(
      actuatorMachine,
      this.#snapshot,
      taken,
    );
    this.#snapshot = snapshot;
    return emitted.map(({ type, key }) => `${type} ${key}`);
  }

  request(key: string): string[] {
    return this.send({ type: 'request', key });
  }

  ended(key: string): string[] {
    return this.send({ type: 'ended', key });
  }
}

describe('an actuator', () => {
  test('carries out what it may, lets some wait in order, and refuses the rest (T1, T2)', () => {
    const of = new Driven({ runningMax: 1, waitingMax: 2 });
    expect(of.request('a')).toEqual(['perform a']);
    expect([of.request('b'), of.request('c')]).toEqual([[], []]);
    expect(of.request('d')).toEqual(['refuse d']);
    expect(of.ended('a')).toEqual(['perform b']);
    expect(of.request('e')).toEqual([]);
    expect(of.ended('b')).toEqual(['perform c']);
  });

  test('one that is withdrawn while it waits frees its place and nobody else’s (T2)', () => {
    const of = new Driven({ runningMax: 1, waitingMax: 1 });
    of.request('a');
    of.request('b');
    expect(of.ended('b')).toEqual([]);
    expect(of.request('c')).toEqual([]);
    expect(of.request('d')).toEqual(['refuse d']);
    expect(of.ended('a')).toEqual(['perform c']);
  });

  test('after close nothing begins, what waits is refused, what runs ends (T3)', () => {
    const of = new Driven({ runningMax: 1, waitingMax: 2 });
    for (const key of ['a', 'b', 'c']) of.request(key);
    expect(of.send({ type: 'close' })).toEqual(['refuse b', 'refuse c']);
    expect(of.request('d')).toEqual(['refuse d']);
    expect(of.state).toBe('draining');
    expect(of.ended('a')).toEqual([]);
    expect(of.state).toBe('closed');
    expect(of.request('e')).toEqual(['refuse e']);
  });

  test('without anything to drain it closes at once', () => {
    const of = new Driven({ runningMax: 1, waitingMax: 1 });
    of.send({ type: 'close' });
    expect(of.state).toBe('closed');
  });

  test('whatever comes, the bounds hold and each request gets exactly one answer', () => {
    const moves = fc.array(
      fc.oneof(fc.constant('request'), fc.nat(30), fc.constantFrom('request', 'close')),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(moves, fc.integer({ min: 1, max: 3 }), fc.nat(3), (taken, most, waitingMax) => {
        const of = new Driven({ runningMax: most, waitingMax });
        const running: string[] = [];
        const waiting: string[] = [];
        const answered = new Set<string>();
        let closed = false;
        const heed = (commands: readonly string[]): void => {
          for (const command of commands) {
            const [verb = '', key = ''] = command.split(' ');
            expect(answered).not.toContain(key);
            answered.add(key);
            if (waiting.includes(key)) {
              if (verb === 'perform') expect(waiting[0]).toBe(key);
              waiting.splice(waiting.indexOf(key), 1);
            }
            if (verb === 'perform') {
              expect(closed).toBe(false);
              running.push(key);
            }
          }
        };
        taken.forEach((move, index) => {
          const key = `k${index}`;
          if (move === 'request') {
            waiting.push(key);
            heed(of.request(key));
          } else if (move === 'close') {
            heed(of.send({ type: 'close' }));
            closed = true;
          } else {
            const open = [...running, ...waiting];
            const chosen = open[Number(move) % Math.max(1, open.length)];
            if (chosen === undefined) return;
            for (const list of [running, waiting]) {
              if (list.includes(chosen)) list.splice(list.indexOf(chosen), 1);
            }
            heed(of.ended(chosen));
          }
          expect(running.length).toBeLessThanOrEqual(most);
          expect(waiting.length).toBeLessThanOrEqual(waitingMax);
          if (waiting.length > 0) expect(running.length).toBe(most);
        });
      }),
    );
  });
});
