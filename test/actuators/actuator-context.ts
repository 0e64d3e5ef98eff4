import type { ActuatorContext } from '../../src/actuators/actuator.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type ActorSequence, actorId, intentionKey, newRunId } from '../../src/kernel/ids.ts';

/** A context of an intention that nobody aborts, in the given workspace. */
export function actuatorContext(
  workspace: string,
  changes: Partial<ActuatorContext> & { readonly sequence?: number } = {},
): ActuatorContext {
  const { sequence = 1, ...rest } = changes;
  const run = newRunId();
  const actor = actorId('run/writer');
  return {
    key: intentionKey({ run, actor, sequence: sequence as ActorSequence, index: 0 }),
    run,
    workspace,
    signal: new AbortController().signal,
    clock: systemClock,
    recorded: async () => {},
    ...rest,
  };
}
