import type { Check } from './check.ts';

const unknownReason = 'The model does not tell how certain it is.';
const certaintyReason = /^The model is only \d+ % certain; \d+ % is asked for\.$/;

/** Whether a reason comes from this check, and so says nothing of the answer itself. */
export function isDoubtOfCertainty(reason: string): boolean {
  return reason === unknownReason || certaintyReason.test(reason);
}

/**
 * Doubts an answer whose least certain token is below `with.min` (0 to 1).
 * Where the model tells no probabilities the confidence is unknown, and unknown
 * is doubted too. With `with.retry: false` asking again is no remedy.
 */
export const confidence: Check = ({ output, confidence: found, parameters }) => {
  const least = typeof parameters.min === 'number' ? parameters.min : 0.5;
  const retry = parameters.retry !== false;
  if (found === null) {
    return { output, reasons: [unknownReason], retry: false };
  }
  if (found >= least) return { output, reasons: [] };
  // Rounded down, but 0.29 * 100 is 28.999…
  const percent = (value: number) => `${Math.floor(value * 100 + 1e-9)} %`;
  return {
    output,
    reasons: [`The model is only ${percent(found)} certain; ${percent(least)} is asked for.`],
    retry,
  };
};
