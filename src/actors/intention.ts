/**
 * What a step wants done. A machine never does anything itself: it returns
 * intentions, the host releases them (law D1).
 *
 * Tags name an open external intention inside its actor, so that a pure
 * machine can tell its outcomes apart without knowing its own sequence.
 */

import type { ActorId } from '../kernel/ids.ts';
import type { JsonObject } from '../kernel/json.ts';
import type { ActorEvent } from './event.ts';

/**
 * pure: leaves no trace outside, may run before the disk has its record.
 * idempotent: safe to repeat under the same key.
 * once: a repeat would be seen.
 */
export type EffectClass = 'pure' | 'idempotent' | 'once';

export type MachineName = 'pipeline' | 'supervisor' | 'agent' | 'panel';

export interface SendIntention {
  readonly kind: 'send';
  readonly to: ActorId;
  readonly event: ActorEvent;
}

export interface SpawnIntention {
  readonly kind: 'spawn';
  readonly to: ActorId;
  readonly machine: MachineName;
  readonly event: ActorEvent;
}

export interface ActIntention {
  readonly kind: 'act';
  readonly tag: string;
  readonly actuator: string;
  readonly operation: string;
  readonly arguments: JsonObject;
  readonly effect: EffectClass;
}

/** Asks the actuator to stop an open intention; its outcome still comes. */
export interface AbortIntention {
  readonly kind: 'abort';
  readonly tag: string;
}

/** Ends the run; only the run's first actor may say so. */
export interface FinishIntention {
  readonly kind: 'finish';
  readonly status: 'succeeded' | 'failed' | 'cancelled';
  readonly outputs: JsonObject;
  readonly resultHash: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export type Intention =
  | SendIntention
  | SpawnIntention
  | ActIntention
  | AbortIntention
  | FinishIntention;
