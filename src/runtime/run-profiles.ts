/**
 * Who is who among the actors of open runs, for the gateway: from the definition of each
 * run, as main has told it. What is not known is refused, never guessed.
 */
import { type ActorProfile, actorProfile } from '../actors/actor-profile.ts';
import { definitionOf } from '../actors/definition.ts';
import { labelMatching, levelsOf } from '../actors/labels.ts';
import type { FileReader } from '../actuators/labelled-files.ts';
import { lowestLevel } from '../identity/clearance.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { RunStartedBody } from './event-record.ts';
import type { RunProfileMessage } from './topics.ts';

/** What main tells the gateway of a run. */
export function profileMessage(
  run: RunId,
  { definition }: Pick<RunStartedBody, 'definition'>,
): RunProfileMessage {
  return { run, definition };
}

export class RunProfiles {
  readonly #definitions = new Map<RunId, string>();

  /** @param definition JSON of the pipeline definition. */
  set(run: RunId, definition: string): void {
    // Ended runs leave, and no more are open than this; what has left is refused, not let through.
    const [oldest] = this.#definitions.keys();
    if (this.#definitions.size >= limits.runProfilesMax && oldest !== undefined) {
      this.#definitions.delete(oldest);
    }
    this.#definitions.set(run, definition);
  }

  forget(run: RunId): void {
    this.#definitions.delete(run);
  }

  /** Name of the run's pipeline, or null of an unknown run. */
  pipelineOf(run: RunId): string | null {
    const definition = this.#definitions.get(run);
    return definition === undefined ? null : definitionOf(definition).name;
  }

  /** Null of an unknown run, or of an actor that its definition does not explain. */
  attested(run: RunId, actor: ActorId): ActorProfile | null {
    const definition = this.#definitions.get(run);
    return definition === undefined ? null : actorProfile(definitionOf(definition), actor);
  }

  /** What the actor may read of the run's files; null where the run has no labels. */
  readerOf(run: RunId, actor: ActorId): FileReader | null {
    const text = this.#definitions.get(run);
    const profile = this.attested(run, actor);
    if (text === undefined || profile === null) {
      throw new RuntimeError('CLEARANCE_INSUFFICIENT', `Nobody attests the clearance of ${actor}.`);
    }
    const definition = definitionOf(text);
    const levels = levelsOf(definition);
    if (levels === null || profile.clearance === null) return null;
    return {
      levels,
      clearance: profile.clearance.of,
      matched: (path) => labelMatching(definition, levels, path),
      unmatched: definition.input.defaultLabel ?? lowestLevel(levels),
    };
  }
}
