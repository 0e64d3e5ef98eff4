/** The contract of what steps a machine: XState itself, or tables compiled from its machine. */

/** A machine at rest. Immutable; two states are equal if these three are. */
export interface MachineSnapshot {
  readonly value: unknown;
  readonly context: unknown;
  readonly status: string;
}

export interface MachineEvent {
  readonly type: string;
}

export interface Stepped {
  readonly snapshot: MachineSnapshot;
  /** Parameters of the machine's actions, in the order in which they were taken. */
  readonly emitted: readonly unknown[];
}

/** Pure: the same snapshot and event give the same result, and nothing is executed. */
export interface Stepper {
  readonly kind: StepperKind;
  /** Where a machine without input begins. */
  initial(): MachineSnapshot;
  /** A snapshot of this stepper from its three parts. */
  restore(parts: MachineSnapshot): MachineSnapshot;
  /** Takes an event that is not one of XState's own (`xstate.…`). */
  step(snapshot: MachineSnapshot, event: MachineEvent): Stepped;
}

export type StepperKind = 'compact' | 'xstate';
