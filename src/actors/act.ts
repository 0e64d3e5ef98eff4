import type { JsonObject } from '../kernel/json.ts';
import { effectOf } from './effects.ts';
import type { ActIntention } from './intention.ts';

/** An external intention with the effect class of its operation. */
export function act(
  tag: string,
  target: { readonly actuator: string; readonly operation: string },
  arguments_: JsonObject,
): ActIntention {
  return {
    kind: 'act',
    tag,
    actuator: target.actuator,
    operation: target.operation,
    arguments: arguments_,
    effect: effectOf(target.actuator, target.operation),
  };
}
