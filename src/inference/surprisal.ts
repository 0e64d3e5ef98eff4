/**
 * How surprising a token was, as the detectors of uncertainty count it.
 *
 * Invariants
 *   N1. A forced token, and one whose probability nobody told, have no surprisal:
 *       not 0, which would say that the model was certain.
 */
import type { GeneratedToken } from './model-port.ts';

/** Probabilities below it count as this: one token alone must not make a mean infinite. */
const probabilityMin = 1e-6;

/** In nats, at most 13.9; null where there was no choice or nobody knows (N1). */
export function surprisalOf({
  forced,
  confidence,
}: Pick<GeneratedToken, 'forced' | 'confidence'>): number | null {
  if (forced || confidence === null) return null;
  return -Math.log(Math.max(confidence, probabilityMin));
}
