/**
 * How well a signal tells wrong answers from right ones, and which threshold
 * keeps to a rate of false interventions. Pure arithmetic over labelled values.
 */
import type { Signal } from './signals.ts';

/** The signal of one answer of which it is known whether it was right. */
export interface LabelledValue {
  readonly value: number;
  readonly right: boolean;
}

/** What a threshold does to labelled answers. */
export interface ThresholdEffect {
  readonly threshold: number;
  /** Answers that would be intervened on. */
  readonly interventions: number;
  /** Share of the interventions that hit wrong answers; null without interventions. */
  readonly precision: number | null;
  /** Share of the wrong answers that are hit; null without wrong ones. */
  readonly recall: number | null;
  /** Share of the right answers that are hit; null without right ones. */
  readonly falseRate: number | null;
}

/** Whether a detector with the threshold would stop an answer of this value. */
export function intervenes({ low }: Pick<Signal, 'low'>, value: number, threshold: number) {
  return low ? value < threshold : value >= threshold;
}

/**
 * Area under the ROC curve: how often a wrong answer looks more doubtful than a
 * right one, ties counting half. 0.5 is chance; null unless there are both.
 */
export function auroc(
  { low }: Pick<Signal, 'low'>,
  values: readonly LabelledValue[],
): number | null {
  const wrong = values.filter(({ right }) => !right).length;
  const right = values.length - wrong;
  if (wrong === 0 || right === 0) return null;
  const sign = low ? -1 : 1;
  const sorted = values.toSorted((a, b) => sign * (a.value - b.value));
  let rankSum = 0;
  for (let start = 0; start < sorted.length; ) {
    let end = start + 1;
    while (end < sorted.length && sorted[end]?.value === sorted[start]?.value) end += 1;
    const rank = (start + 1 + end) / 2; // Of all that tie.
    rankSum += rank * sorted.slice(start, end).filter((each) => !each.right).length;
    start = end;
  }
  return (rankSum - (wrong * (wrong + 1)) / 2) / (wrong * right);
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

export function effectOf(
  signal: Pick<Signal, 'low'>,
  values: readonly LabelledValue[],
  threshold: number,
): ThresholdEffect {
  const hit = values.filter(({ value }) => intervenes(signal, value, threshold));
  const hitWrong = hit.filter(({ right }) => !right).length;
  const right = values.filter((each) => each.right).length;
  return {
    threshold,
    interventions: hit.length,
    precision: share(hitWrong, hit.length),
    recall: share(hitWrong, values.length - right),
    falseRate: share(hit.length - hitWrong, right),
  };
}

const digits = 3;

/** The number of three digits next to a value that stops no answer of this value. */
function besides(value: number, low: boolean): number {
  if (value === 0) return low ? 0 : Number.MIN_VALUE;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(value))) - digits + 1);
  const nearest = Math.round(value / unit);
  const [first, second] = low ? [nearest, nearest - 1] : [nearest, nearest + 1];
  const threshold = Number((first * unit).toPrecision(digits));
  return intervenes({ low }, value, threshold)
    ? Number((second * unit).toPrecision(digits))
    : threshold;
}

/**
 * The threshold that stops most answers while it stops at most the share
 * `falseMax` of the right ones; null where there are no right ones, or no
 * threshold of the setting does so and stops anything.
 */
export function proposeThreshold(
  { low, range }: Pick<Signal, 'low' | 'range'>,
  values: readonly LabelledValue[],
  falseMax: number,
): number | null {
  const sign = low ? -1 : 1;
  const right = values
    .filter((each) => each.right)
    .map(({ value }) => value)
    .toSorted((a, b) => sign * (b - a));
  const spared = right[Math.floor(falseMax * right.length)];
  if (spared === undefined) return null;
  const edge = range.whole ? Math.floor(spared) + 1 : besides(spared, low);
  // A stricter end of the range only spares more.
  const threshold = low ? Math.min(edge, range.max) : Math.max(edge, range.min);
  if (low ? threshold <= range.min : threshold > range.max) return null;
  return values.some(({ value }) => intervenes({ low }, value, threshold)) ? threshold : null;
}
