/** Compiled machines against XState: machines made at random, and those that are not compiled. */
import { describe, expect, test } from 'vitest';
import { type AnyStateMachine, assign, createMachine, enqueueActions, raise } from 'xstate';
import { actuatorMachine } from '../../src/actors/actuator.ts';
import { compileMachine } from '../../src/actors/compact-stepper.ts';
import { stepperOf } from '../../src/actors/steppers.ts';
import { BothSteppers, diceOf } from './both-steppers.ts';

type Dice = (sides: number) => number;

interface Arguments {
  readonly context: { readonly count: number; readonly last: string };
  readonly event: { readonly type: string; readonly value?: number };
}

const events = ['a', 'b', 'c', 'd'];
/** Calls after which a machine at random is stopped, because it may never rest. */
const callsMax = 60;

/** Machines whose functions write down each call, what they saw, and sometimes throw. */
class RandomMachine {
  readonly calls: string[] = [];
  readonly machine: AnyStateMachine;
  readonly #dice: Dice;
  #names = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
    const states = Array.from({ length: 2 + dice(4) }, (_, index) => `s${index}`);
    const config = {
      id: 'random',
      context: { count: 0, last: '' },
      initial: 's0',
      on: this.#on(states, false),
      states: Object.fromEntries(states.map((key, index) => [key, this.#state(states, index)])),
    };
    this.machine = createMachine(config as never, {
      actions: { intend: () => undefined },
    }) as AnyStateMachine;
  }

  #called(name: string, { context, event }: Arguments): void {
    this.calls.push(`${name} ${JSON.stringify(context)} ${event.type}`);
    const alike = this.calls.filter((call) => call.endsWith(` ${event.type}`));
    if (alike.length > callsMax) throw new Error('it does not rest');
  }

  #function<Result>(kind: string, result: (arguments_: Arguments) => Result) {
    this.#names += 1;
    const name = `${kind}${this.#names}`;
    const failsAt = this.#dice(12) === 0 ? this.#dice(6) : -1;
    return (arguments_: Arguments): Result => {
      this.#called(name, arguments_);
      if (arguments_.context.count === failsAt) throw new Error(`${name} fails`);
      return result(arguments_);
    };
  }

  #guard() {
    const [modulus, rest, ofEvent] = [2 + this.#dice(3), this.#dice(2), this.#dice(2) === 0];
    return this.#function(
      'guard',
      ({ context, event }) => ((ofEvent ? event.value : context.count) ?? 0) % modulus === rest,
    );
  }

  #action(): unknown {
    const step = this.#dice(3);
    switch (this.#dice(5)) {
      case 0:
        return assign(
          this.#function('assign', ({ context }) => ({ count: context.count + step })) as never,
        );
      case 1:
        return assign({
          last: this.#function('property', ({ event }) => `${event.type}${step}`),
          count: step,
        } as never);
      case 2:
        return { type: 'intend', params: { fixed: step } };
      case 3:
        return { type: 'intend' };
      default:
        return {
          type: 'intend',
          params: this.#function('intend', ({ context, event }) => ({ context, event, step })),
        };
    }
  }

  #actions(): unknown {
    const actions = Array.from({ length: this.#dice(4) }, () => this.#action());
    return actions.length === 1 && this.#dice(2) === 0 ? actions[0] : actions;
  }

  #transition(states: readonly string[], mayMove: boolean): object {
    const target = states[this.#dice(states.length)];
    return {
      ...(this.#dice(2) === 0 ? { guard: this.#guard() } : {}),
      ...(mayMove && this.#dice(3) > 0 ? { target } : {}),
      ...(mayMove && this.#dice(3) === 0 ? { reenter: true } : {}),
      ...(this.#dice(3) > 0 ? { actions: this.#actions() } : {}),
    };
  }

  #on(states: readonly string[], mayMove: boolean): object {
    const some = events.filter(() => this.#dice(2) === 0);
    const entries = some.map((type) => [
      type,
      Array.from({ length: this.#dice(4) }, () => this.#transition(states, mayMove)),
    ]);
    return Object.fromEntries(entries);
  }

  #state(states: readonly string[], index: number): object {
    const around = { entry: this.#actions(), exit: this.#actions() };
    if (index > 0 && this.#dice(5) === 0) return { type: 'final', ...around };
    // Always with a guard: those are counted, so that no machine goes on for ever.
    const always = Array.from({ length: this.#dice(3) }, () => ({
      ...this.#transition(states, true),
      guard: this.#guard(),
    }));
    return { ...around, on: this.#on(states, true), ...(always.length > 0 ? { always } : {}) };
  }
}

test('machines made at random do the same, call for call', () => {
  const seen = { steps: 0, moved: 0, unhandled: 0, failed: 0, done: 0, machines: 0 };
  for (let seed = 0; seed < 3_000; seed += 1) {
    const dice = diceOf(seed);
    const { machine, calls } = new RandomMachine(dice);
    calls.length = 0;
    // One that fails or never rests before its first event is not compiled.
    if ('reason' in compileMachine(machine, 'intend')) continue;
    seen.machines += 1;
    for (let sequence = 0; sequence < 4; sequence += 1) {
      const both = new BothSteppers(machine, calls);
      for (let index = 0; index < 8; index += 1) {
        const from = both.value;
        const type = events[dice(events.length)] ?? 'a';
        const { error, sameSnapshot, state } = both.take({ type, ...{ value: dice(6) } });
        seen.steps += 1;
        if (both.value !== from) seen.moved += 1;
        if (sameSnapshot && error === null) seen.unhandled += 1;
        if (error !== null) seen.failed += 1;
        if (state.includes('"done"')) seen.done += 1;
        if (dice(10) === 0) both.restore();
      }
    }
  }
  // Each of these would be a gap in what the comparison has seen.
  expect(seen.machines).toBeGreaterThan(1_500);
  for (const count of [seen.moved, seen.unhandled, seen.failed, seen.done]) {
    expect(count).toBeGreaterThan(1_000);
  }
});

describe('what is left to XState, and why', () => {
  const flat = { id: 'm', context: {}, initial: 'a' };
  const intend = { actions: { intend: () => undefined } };
  const cases: Record<string, [object, RegExp]> = {
    'nested states': [
      { ...flat, states: { a: { initial: 'b', states: { b: {} } } } },
      /has states/,
    ],
    'parallel states': [
      { id: 'm', context: {}, type: 'parallel', states: { a: {} } },
      /root has no/,
    ],
    'a history state': [{ ...flat, states: { a: {}, h: { type: 'history' } } }, /has states/],
    'an invoke': [{ ...flat, states: { a: { invoke: { src: 'x' } } } }, /invokes/],
    'a delay': [{ ...flat, states: { a: { after: { 10: 'a' } } } }, /neither an assign|XState/],
    'a wildcard': [{ ...flat, states: { a: { on: { '*': 'a' } } } }, /wildcard/],
    'a part of a type': [{ ...flat, states: { a: { on: { 'x.*': 'a' } } } }, /wildcard/],
    'an event of XState': [{ ...flat, states: { a: { on: { 'xstate.x': 'a' } } } }, /of XState/],
    'a target of the root': [{ ...flat, on: { x: '.a' }, states: { a: {} } }, /root has a target/],
    'an eventless root': [
      { ...flat, always: { guard: () => false }, states: { a: {} } },
      /root has eventless/,
    ],
    'actions of the root': [
      { ...flat, entry: { type: 'intend' }, states: { a: {} } },
      /root has entry/,
    ],
    'actions of the initial transition': [
      { ...flat, initial: { target: 'a', actions: { type: 'intend' } }, states: { a: {} } },
      /initial transition/,
    ],
    'a raise': [{ ...flat, states: { a: { entry: raise({ type: 'x' }) } } }, /neither an assign/],
    'enqueued actions': [
      { ...flat, states: { a: { entry: enqueueActions(() => undefined) } } },
      /neither an assign/,
    ],
    'another action': [{ ...flat, states: { a: { entry: { type: 'other' } } } }, /neither/],
    'a function as action': [{ ...flat, states: { a: { entry: () => undefined } } }, /neither/],
    'a guard by name': [{ ...flat, states: { a: { on: { x: { guard: 'g' } } } } }, /guard is not/],
    'an output': [{ ...flat, output: 1, states: { a: {} } }, /output/],
    'an output of a state': [{ ...flat, states: { a: { type: 'final', output: 1 } } }, /output/],
    'transitions of a final state': [
      { ...flat, states: { a: { type: 'final', on: { x: 'a' } } } },
      /final state/,
    ],
    'bounded microsteps': [{ ...flat, options: { maxIterations: 5 }, states: { a: {} } }, /bounds/],
    'a failing beginning': [
      {
        ...flat,
        states: {
          a: {
            entry: assign(() => {
              throw new Error('no');
            }),
          },
        },
      },
      /does not begin/,
    ],
  };
  test.each(Object.entries(cases))('%s', (_, [config, reason]) => {
    const compiled = compileMachine(createMachine(config as never, intend), 'intend');
    expect('reason' in compiled && compiled.reason).toMatch(reason);
  });

  test('an action that is built from others', () => {
    const machine = createMachine(
      { ...flat, states: { a: { entry: { type: 'intend' } } } } as never,
      { actions: { intend: assign({}) as never } },
    );
    const compiled = compileMachine(machine, 'intend');
    expect('reason' in compiled && compiled.reason).toMatch(/built from others/);
  });

  test('the actuator: its machine begins with an input', () => {
    const compiled = compileMachine(actuatorMachine, 'command');
    expect('reason' in compiled && compiled.reason).toMatch(/input/);
    expect(stepperOf(actuatorMachine, 'command', 'compact').kind).toBe('xstate');
  });
});

describe('what a compiled machine refuses', () => {
  const machine = createMachine(
    {
      id: 'turning',
      context: { count: 0 },
      initial: 'a',
      states: { a: { on: { go: 'b' } }, b: { always: 'c' }, c: { always: 'b' } },
    } as never,
    { actions: { intend: () => undefined } },
  ) as AnyStateMachine;
  const stepper = stepperOf(machine, 'intend', 'compact');

  test('a machine that never rests is stopped, where XState would go on for ever', () => {
    expect(() => stepper.step(stepper.initial(), { type: 'go' })).toThrow(/turning comes to rest/);
  });

  test.each(['*', 'xstate.init', 'xstate.stop'])('the event %s', (type) => {
    expect(() => stepper.step(stepper.initial(), { type })).toThrow(/no event of XState/);
  });

  test('a state that it does not have', () => {
    const parts = { value: 'x', context: {}, status: 'active' };
    expect(() => stepper.restore(parts)).toThrow(/has a state x/);
  });
});
