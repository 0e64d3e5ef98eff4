/**
 * The second look at clearances, at the door of all effects: the first is where an agent
 * is started (actors/reading.ts). What an intention was made of is its `label`, which its
 * actor has signed with its other arguments.
 *
 * Invariants
 *   C1. Nothing is carried out for an actor whose attested clearance is below the label.
 *   C2. Where a pipeline has labels, an intention without one is refused, apart from
 *       those that carry no text.
 *   C3. The certificate of the actor says the same clearance.
 */
import { dominates, type Levels } from '../identity/clearance.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { isJsonObject } from '../kernel/json.ts';
import type { IntentionGuard } from './intention-guard.ts';

/** What somebody trusted says of an actor; null: nobody knows it. */
export interface ClearancePort {
  /** `clearance` is null where the pipeline has no labels. */
  attested(
    run: RunId,
    actor: ActorId,
  ): { readonly clearance: { readonly levels: Levels; readonly of: string } | null } | null;
}

/** Operations whose arguments and results are no text. */
const withoutText = new Set(['clock.wake']);

export function clearanceGuard(port: ClearancePort): IntentionGuard {
  return ({ run, actor, actuator, operation, arguments: given }, certificate) => {
    const attested = port.attested(run, actor);
    const code = 'CLEARANCE_INSUFFICIENT';
    if (attested === null) {
      const message = `Nobody attests the clearance of ${actor}.`;
      return { code, message, retryable: true };
    }
    const { clearance } = attested;
    if (certificate.clearance !== (clearance?.of ?? '')) {
      const message = `The certificate of ${actor} has another clearance than its run gives it.`;
      return { code, message }; // (C3)
    }
    const name = `${actuator}.${operation}`;
    if (clearance === null || withoutText.has(name)) return null;
    const label = isJsonObject(given) ? given.label : undefined;
    if (typeof label !== 'string') {
      return { code, message: `The intention ${name} has no label.` }; // (C2)
    }
    if (dominates(clearance.levels, clearance.of, label)) return null;
    const message = `The actor ${actor} is cleared for ${clearance.of}, and ${name} has the label ${label}.`;
    return { code, message }; // (C1)
  };
}
