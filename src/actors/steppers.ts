/** Which stepper a machine has. */
import type { AnyStateMachine } from 'xstate';
import { compileMachine } from './compact-stepper.ts';
import type { Stepper, StepperKind } from './stepper.ts';
import { xstateStepper } from './xstate-stepper.ts';

const steppers = new WeakMap<AnyStateMachine, Readonly<Record<StepperKind, Stepper>>>();

/**
 * The stepper of a machine whose only action is `action`. A machine that cannot
 * be compiled is stepped by XState whatever was asked; `kind` tells.
 */
export function stepperOf(machine: AnyStateMachine, action: string, kind: StepperKind): Stepper {
  let known = steppers.get(machine);
  if (known === undefined) {
    const xstate = xstateStepper(machine, action);
    const compiled = compileMachine(machine, action);
    known = { xstate, compact: 'stepper' in compiled ? compiled.stepper : xstate };
    steppers.set(machine, known);
  }
  return known[kind];
}
