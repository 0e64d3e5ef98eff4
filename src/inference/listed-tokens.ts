/**
 * What an endpoint's list of the most likely tokens at one place tells of all
 * tokens there.
 *
 * Invariants
 *   U1. The entropy is never above the true one: the tokens that are not listed
 *       share what is left, and none of them is likelier than the last listed.
 *       So a flat distribution, of which the list holds little, never reads as
 *       a certain one.
 *   U2. A list that tells nothing (of fewer than two tokens, or of more than the
 *       whole probability) leaves both numbers unknown.
 */
import type { GeneratedToken } from './model-port.ts';

/** By how much rounding may lift a sum of probabilities above 1. */
const sumSlack = 1e-3;
const listedMin = 2;

/** @param logprobs Natural logarithms of the probabilities of the likeliest tokens, in any order. */
export function readListedTokens(
  logprobs: readonly number[],
): Pick<GeneratedToken, 'entropy' | 'margin'> {
  const likeliest = logprobs.map(Math.exp).sort((one, other) => other - one);
  const [best = 0, second = 0] = likeliest;
  const listed = likeliest.reduce((sum, probability) => sum + probability, 0);
  if (likeliest.length < listedMin || listed > 1 + sumSlack) return { entropy: null, margin: null }; // (U2)
  const rest = Math.max(0, 1 - listed);
  const restEach = Math.min(rest, likeliest.at(-1) ?? 0);
  const entropy = likeliest.reduce(
    (sum, probability) => sum + surprise(probability, probability),
    surprise(rest, restEach), // (U1)
  );
  return { entropy, margin: Math.min(1, best - second) };
}

/** What tokens with this probability in all add to the entropy when each has at most `each`; nats. */
function surprise(probability: number, each: number): number {
  // Nothing is likelier than 0: what is left then comes of rounding.
  return probability <= 0 || each <= 0 ? 0 : Math.max(0, -probability * Math.log(each));
}
