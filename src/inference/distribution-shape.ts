/** What the probabilities at one place say beside that of the token that was taken. */

/** Tokens that are counted one by one; all others are one. */
const topMax = 64;

export interface DistributionShape {
  /** In nats. */
  readonly entropy: number;
  /** Probability of the most likely token less that of the next, 0 to 1. */
  readonly margin: number;
}

/**
 * Entropy and margin of a distribution.
 * @param probabilities The most likely first, each 0 to 1; what is left to 1 after the
 *   first {@link topMax} of them, or after all of them, counts as one more.
 */
export function distributionShape(probabilities: Iterable<number>): DistributionShape {
  let entropy = 0;
  let rest = 1;
  let count = 0;
  const top: [number, number] = [0, 0];
  for (const probability of probabilities) {
    if (probability <= 0 || count === topMax) break;
    if (count < 2) top[count] = probability;
    entropy -= probability * Math.log(probability);
    rest -= probability;
    count += 1;
  }
  // What rounding leaves is no tail.
  if (rest > 1e-6) entropy -= rest * Math.log(rest);
  return { entropy: Math.max(0, entropy), margin: top[0] - top[1] };
}
