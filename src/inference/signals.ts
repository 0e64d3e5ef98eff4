/**
 * What can be known of an answer's uncertainty from its tokens, each as one
 * number: what the detectors compare with their thresholds, and what they could.
 *
 * Invariants
 *   S1. Null where the backend did not tell what the signal needs. An answer that
 *       gives it nothing to see, such as a short one, has the value at rest.
 */
import { collapseMeasure } from './collapse-detector.ts';
import type { DetectorSettings, GeneratedToken } from './model-port.ts';
import { nearRepetitionMeasure } from './near-repetition-detector.ts';
import { perplexityMeasure } from './perplexity-detector.ts';
import { repetitionMeasure } from './repetition-detector.ts';
import { spikeMeasure } from './spike-detector.ts';
import { stallMeasure } from './stall-detector.ts';
import { surprisalOf } from './surprisal.ts';
import { peakOf, type TokenMeasure } from './token-measure.ts';

/** The value of an answer, and the token that has it. */
export interface SignalValue {
  readonly value: number;
  readonly atToken: number;
}

export interface Signal {
  readonly name: string;
  /** The setting of the detector that watches it; null where none does. */
  readonly setting: keyof DetectorSettings | null;
  /** Whether a small value is the doubtful one. A large one sets off at its threshold, a small one below it. */
  readonly low: boolean;
  /** Thresholds that the setting takes. */
  readonly range: { readonly min: number; readonly max: number; readonly whole: boolean };
  /** @param json The answer was kept to a schema. */
  measure(tokens: readonly GeneratedToken[], json: boolean): SignalValue | null;
}

const any = { min: 0, max: Number.MAX_VALUE, whole: false };

function isTold(tokens: readonly GeneratedToken[]): boolean {
  return tokens.some(({ confidence }) => confidence !== null);
}

/** The peak of a measure, or its value at rest (S1). */
function peakSignal<State>(
  measure: TokenMeasure<State>,
  rest: number,
  needsConfidence: boolean,
): Signal['measure'] {
  return (tokens) => {
    if (needsConfidence && !isTold(tokens)) return null;
    const peak = peakOf(measure, tokens);
    return peak !== null && peak.value > rest ? peak : { value: rest, atToken: 0 };
  };
}

/** The largest of what `read` says, or the smallest where that is the doubtful one. */
function extreme(
  read: (token: GeneratedToken) => number | null,
  { low, rest }: { low: boolean; rest: number | null },
): Signal['measure'] {
  const sign = low ? -1 : 1;
  const measure: TokenMeasure<null> = {
    initial: null,
    reduce: (state, token) => {
      const value = read(token);
      return { value: value === null ? null : sign * value, state };
    },
  };
  return (tokens) => {
    const peak = peakOf(measure, tokens);
    if (peak !== null) return { value: sign * peak.value, atToken: peak.atToken };
    return rest === null || !isTold(tokens) ? null : { value: rest, atToken: 0 };
  };
}

function meanSurprisal(tokens: readonly GeneratedToken[]): SignalValue | null {
  if (!isTold(tokens)) return null;
  const known = tokens.map(surprisalOf).filter((nats) => nats !== null);
  const sum = known.reduce((total, nats) => total + nats, 0);
  return { value: sum / Math.max(1, known.length), atToken: tokens.length - 1 };
}

const stallPeak = peakSignal(stallMeasure, 0, false);

/** Those with a detector first, in the order in which detectors are asked. */
export const signals: readonly Signal[] = [
  {
    name: 'least confidence',
    setting: 'minConfidence',
    low: true,
    range: { min: 0, max: 1, whole: false },
    measure: extreme(({ forced, confidence }) => (forced ? null : confidence), {
      low: true,
      rest: 1,
    }),
  },
  {
    name: 'repetition',
    setting: 'repetition',
    low: false,
    range: { min: 2, max: 64, whole: true },
    measure: peakSignal(repetitionMeasure, 1, false),
  },
  {
    name: 'spike',
    setting: 'spike',
    low: false,
    range: { min: 0.01, max: 20, whole: false },
    measure: peakSignal(spikeMeasure, 0, true),
  },
  {
    name: 'perplexity, 12 tokens',
    setting: 'perplexity',
    low: false,
    range: { min: 1, max: 1_000_000, whole: false },
    measure: peakSignal(perplexityMeasure, 1, true),
  },
  {
    name: 'collapse',
    setting: 'collapse',
    low: false,
    range: { min: 4, max: 1_024, whole: true },
    measure: peakSignal(collapseMeasure, 0, true),
  },
  {
    name: 'near repetition',
    setting: 'nearRepetition',
    low: false,
    range: { min: 2, max: 9, whole: true },
    measure: peakSignal(nearRepetitionMeasure, 1, false),
  },
  {
    name: 'stall',
    setting: 'stall',
    low: false,
    range: { min: 4, max: 1_024, whole: true },
    measure: (tokens, json) => (json ? stallPeak(tokens, json) : null),
  },
  { name: 'mean surprisal', setting: null, low: false, range: any, measure: meanSurprisal },
  {
    name: 'largest entropy',
    setting: null,
    low: false,
    range: any,
    measure: extreme(({ forced, entropy }) => (forced ? null : entropy), {
      low: false,
      rest: null,
    }),
  },
  {
    name: 'least margin',
    setting: null,
    low: true,
    range: any,
    measure: extreme(({ forced, margin }) => (forced ? null : margin), { low: true, rest: null }),
  },
];
