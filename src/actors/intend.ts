/**
 * How a machine emits intentions: the only action with an effect outside the
 * machine is `intend`, whose parameters are the intentions themselves. The
 * stepper collects them; nothing is executed by XState.
 */
import type { Intention } from './intention.ts';

export interface IntendParameters {
  readonly intentions: readonly Intention[];
}

/** Declared in each machine's `setup`; the stepper reads the parameters, the body never runs. */
export function intendAction(_: unknown, _parameters: IntendParameters): void {}

/** An `intend` whose intentions are computed from context and event, after the assigns before it. */
export function intend<Arguments>(compute: (arguments_: Arguments) => readonly Intention[]) {
  return {
    type: 'intend' as const,
    params: (arguments_: Arguments): IntendParameters => ({ intentions: compute(arguments_) }),
  };
}
