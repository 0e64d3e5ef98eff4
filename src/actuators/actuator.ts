/**
 * The contract of an actuator: named operations with a declared effect class,
 * schemas at both ends, and nothing known about who asks. Only the gateway
 * calls `perform`.
 */
import type { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import type { IntentionKey, RunId } from '../kernel/ids.ts';

/**
 * pure: no external trace, may run before the disk has the record.
 * idempotent: safe to repeat under the same key.
 * once: a repeat would be seen.
 */
export type EffectClass = 'pure' | 'idempotent' | 'once';

export interface ActuatorContext {
  readonly key: IntentionKey;
  readonly run: RunId;
  /** Absolute folder of the run's workspace. */
  readonly workspace: string;
  /** Aborted when the intention is cancelled. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Resolves once the record of the intention is durable; rejects when the journal has failed. */
  readonly recorded: () => Promise<void>;
}

/** One thing an actuator can do. `perform` throws RuntimeError for what it cannot. */
export interface Operation<A = unknown, R = unknown> {
  readonly effect: EffectClass;
  /** Whether its effect reaches beyond the files of its run. A fork performs such only if allowed (law D5). */
  readonly outside?: boolean;
  readonly arguments: z.ZodType<A>;
  readonly result: z.ZodType<R>;
  /**
   * Of a `once` operation that throws OUTCOME_UNKNOWN, nobody can say whether it
   * happened; what else it throws says that it did not.
   */
  perform(args: A, context: ActuatorContext): Promise<R>;
  /** Of a `once` operation: its result, if it happened. */
  presumed?(args: A): R;
}

export interface Actuator {
  readonly name: string;
  /** Intentions carried out at once; limits.actuatorConcurrencyDefault when absent. */
  readonly concurrency?: number;
  readonly operations: Readonly<Record<string, Operation>>;
}

/** Infers the types of an operation from its schemas. */
export function operation<A, R>(definition: Operation<A, R>): Operation<A, R> {
  return definition;
}

/** The operations of an actuator that leave no trace, by their whole names, such as `file.read`. */
export function pureOperations({
  name,
  operations,
}: Actuator): Readonly<Record<string, Operation>> {
  return Object.fromEntries(
    Object.entries(operations)
      .filter(([, { effect }]) => effect === 'pure')
      .map(([operationName, found]) => [`${name}.${operationName}`, found]),
  );
}
