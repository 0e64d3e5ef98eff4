/**
 * The course of one logical thread: what it did so far, and the step that it
 * is about to take.
 *
 * A thread is a function that cannot be left in the middle, so it is run again
 * from its start. Its port answers each step that was taken before with the
 * value that it had then, and leaves the function by a private exception at
 * the first step that was not. Each list of values is run once and kept in a
 * tree, so going on to a list that is known costs no run.
 *
 * Invariants
 *   C1. A thread is a function of the values of its steps alone: whatever else
 *       it uses is its own and made anew in each run.
 */

/** What a step may answer; compared by value. */
export type StepValue = number | bigint | string | undefined;

/** One access to shared memory. */
export interface Access {
  readonly type: 'access';
  readonly name: string;
  /** `read` and `write` are plain, the others sequentially consistent; `update` is both at once. */
  readonly order: 'read' | 'write' | 'load' | 'store' | 'update';
  /** Equal for accesses to the same memory. */
  readonly place: number;
  /** Which step of its course it is. */
  readonly number: number;
  readonly perform: () => StepValue;
}

/** What a thread wants to do next. */
export type Step =
  | Access
  /** Stands still until notified, if the word still has its value; else answers 'not-equal'. */
  | { readonly type: 'wait'; readonly word: number; readonly isEqual: () => boolean }
  /** Wakes whoever stands still at the word. */
  | { readonly type: 'notify'; readonly word: number }
  /** Cannot be taken before it has a value. */
  | { readonly type: 'guard'; readonly name: string; readonly value: (world: World) => StepValue };

/** What a guard may look at. */
export interface World {
  isDead(thread: number): boolean;
  hasEnded(thread: number): boolean;
}

/** The only way of a logical thread to whatever is shared (C1). */
export interface Port {
  access(
    order: Access['order'],
    place: { readonly name: string; readonly number: number },
    perform: () => StepValue,
  ): StepValue;
  take(step: Exclude<Step, Access>): StepValue;
  /** Writes down what happened, for the check at the end. */
  note(event: string): void;
}

export interface LogicalThread {
  readonly name: string;
  /** Whether it may stop for ever before any of its steps. */
  readonly mortal?: boolean;
  readonly run: (port: Port) => void;
}

const suspend = Symbol('suspend');

export class Course {
  readonly id: number;
  readonly values: readonly StepValue[];
  readonly notes: readonly string[];
  /** Null when the thread has ended. */
  readonly step: Step | null;
  /** What the thread threw. */
  readonly fault: string | null;
  /** By the value of `step`. */
  readonly next = new Map<StepValue, Course>();

  constructor(id: number, thread: LogicalThread, values: readonly StepValue[]) {
    const notes: string[] = [];
    let taken = 0;
    let pending: Step | null = null;
    let fault: string | null = null;
    const isKnown = (): boolean => {
      taken += 1;
      return taken <= values.length;
    };
    const leaveAt = (step: Step): never => {
      // A `finally` on the way out may want another step; the first one is the thread's next.
      pending ??= step;
      throw suspend;
    };
    const port: Port = {
      access: (order, place, perform) => {
        if (isKnown()) return values[taken - 1];
        const name = `${order} ${place.name}`;
        return leaveAt({
          type: 'access',
          name,
          order,
          place: place.number,
          number: taken,
          perform,
        });
      },
      take: (step) => (isKnown() ? values[taken - 1] : leaveAt(step)),
      note: (event) => {
        notes.push(event);
      },
    };
    try {
      thread.run(port);
    } catch (error) {
      if (error !== suspend) fault = error instanceof Error ? error.message : String(error);
    }
    this.id = id;
    this.values = values;
    this.notes = notes;
    this.step = fault === null ? pending : null;
    this.fault = fault;
  }
}
