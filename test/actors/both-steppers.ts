/** Steps a machine with XState and with its compiled tables, and expects the same of both. */
import { expect } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import type { MachineEvent, MachineSnapshot, Stepper } from '../../src/actors/stepper.ts';
import { stepperOf } from '../../src/actors/steppers.ts';

/** What can be seen of one step; texts, so that the order of keys counts too. */
interface Seen {
  readonly state: string;
  readonly emitted: string;
  readonly error: string | null;
  readonly sameSnapshot: boolean;
  readonly calls: readonly string[];
}

function stateText({ value, context, status }: MachineSnapshot): string {
  return JSON.stringify({ value, context, status });
}

/** Dice that fall the same way for one seed. */
export function diceOf(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

export class BothSteppers {
  readonly #machine: AnyStateMachine;
  readonly #steppers: readonly [Stepper, Stepper];
  readonly #calls: string[];
  #snapshots: readonly [MachineSnapshot, MachineSnapshot];

  /** @param calls Where the machine's functions write that they were called. */
  constructor(machine: AnyStateMachine, calls: string[] = []) {
    this.#machine = machine;
    this.#calls = calls;
    calls.length = 0;
    const compact = stepperOf(machine, 'intend', 'compact');
    expect(compact.kind).toBe('compact');
    this.#steppers = [stepperOf(machine, 'intend', 'xstate'), compact];
    const [xstate] = this.#steppers;
    calls.length = 0;
    this.#snapshots = [xstate.initial(), compact.initial()];
    expect(stateText(this.#snapshots[1])).toBe(stateText(this.#snapshots[0]));
  }

  get value(): unknown {
    return this.#snapshots[0].value;
  }

  /** Takes the event both ways; after an error both stay where they were. */
  take(event: MachineEvent): Seen {
    const [xstate, compact] = this.#steppers;
    const [left, right] = this.#snapshots;
    const before = stateText(left);
    const expected = this.#seen(xstate, left, event);
    const actual = this.#seen(compact, right, event);
    if (JSON.stringify(actual.seen) !== JSON.stringify(expected.seen)) {
      expect(actual.seen, `${this.#machine.id}, ${JSON.stringify(event)}`).toEqual(expected.seen);
      throw new Error('the order of keys is another');
    }
    if (stateText(left) !== before || stateText(right) !== before) {
      throw new Error('a step changed the snapshot that it began with');
    }
    this.#snapshots = [expected.next, actual.next];
    return expected.seen;
  }

  /** Goes on from the plain form of the state, as a snapshot in the journal does. */
  restore(): void {
    const parts = JSON.parse(stateText(this.#snapshots[0])) as MachineSnapshot;
    const [xstate, compact] = this.#steppers;
    this.#snapshots = [xstate.restore(parts), compact.restore(parts)];
    expect(stateText(this.#snapshots[1])).toBe(stateText(this.#snapshots[0]));
  }

  /** XState begins the machine anew for each step; those calls are not of the event. */
  #ofEvent(): string[] {
    return this.#calls.filter((call) => !call.endsWith('xstate.init'));
  }

  #seen(
    stepper: Stepper,
    snapshot: MachineSnapshot,
    event: MachineEvent,
  ): { seen: Seen; next: MachineSnapshot } {
    this.#calls.length = 0;
    try {
      const { snapshot: next, emitted } = stepper.step(snapshot, event);
      const seen = {
        state: stateText(next),
        emitted: JSON.stringify(emitted),
        error: null,
        sameSnapshot: next === snapshot,
        calls: this.#ofEvent(),
      };
      return { seen, next };
    } catch (error) {
      const seen = {
        state: stateText(snapshot),
        emitted: '[]',
        error: String(error),
        sameSnapshot: true,
        calls: this.#ofEvent(),
      };
      return { seen, next: snapshot };
    }
  }
}
