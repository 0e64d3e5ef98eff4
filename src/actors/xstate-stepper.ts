/** Steps a machine with XState: the reference, and the way of machines that are not compiled. */
import { type AnyStateMachine, getInitialSnapshot, transition } from 'xstate';
import { assert } from '../kernel/assert.ts';
import type { Stepper } from './stepper.ts';

type XStateSnapshot = ReturnType<typeof transition<AnyStateMachine>>[0];

export function xstateStepper(machine: AnyStateMachine, action: string): Stepper {
  return {
    kind: 'xstate',
    initial: () => getInitialSnapshot(machine),
    restore: ({ value, context, status }) =>
      machine.resolveState({
        value: value as string,
        context,
        status: status === 'done' ? 'done' : 'active',
      }),
    step: (snapshot, event) => {
      const [next, actions] = transition(machine, snapshot as XStateSnapshot, event);
      assert(next.status !== 'error', `the machine ${machine.id} does not fail`);
      const emitted = actions.map((each) => {
        // XState's types know only its own actions here, not those of a setup.
        const { type, params } = each as { type: string; params: unknown };
        assert(type === action, `the machine ${machine.id} has no action ${type}`);
        return params;
      });
      return { snapshot: next, emitted };
    },
  };
}
