/**
 * Chooses detectors and thresholds on labelled answers: one after the other, always
 * the one that finds most wrong answers that the others do not, as long as all of
 * them together stop at most a share of the right ones.
 */
import {
  intervenes,
  type LabelledValue,
  proposeThreshold,
} from '../../src/inference/discrimination.ts';
import type { DetectorSettings, GeneratedToken } from '../../src/inference/model-port.ts';
import { type Signal, signals } from '../../src/inference/signals.ts';
import { noDetectors } from './asker.ts';

export interface LabelledAnswer {
  readonly tokens: readonly GeneratedToken[];
  readonly right: boolean;
}

/** Shares of right answers that one detector alone may stop. */
const falseShares = [0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1];
/** Wrong answers, as a share of all wrong ones, that a further detector has to find. */
const gainMin = 0.01;

interface Candidate {
  readonly setting: keyof DetectorSettings;
  readonly threshold: number;
  /** Which answers it stops. */
  readonly stops: readonly boolean[];
}

export function valuesOf(signal: Signal, answers: readonly LabelledAnswer[]): LabelledValue[] {
  return answers.flatMap(({ tokens, right }) => {
    const measured = signal.measure(tokens, false);
    return measured === null ? [] : [{ value: measured.value, right }];
  });
}

function candidatesOf(signal: Signal, answers: readonly LabelledAnswer[]): Candidate[] {
  const { setting } = signal;
  if (setting === null) return [];
  const values = valuesOf(signal, answers);
  const thresholds = new Set(falseShares.map((share) => proposeThreshold(signal, values, share)));
  return [...thresholds].flatMap((threshold) => {
    if (threshold === null) return [];
    const stops = answers.map(({ tokens }) => {
      const measured = signal.measure(tokens, false);
      return measured !== null && intervenes(signal, measured.value, threshold);
    });
    return [{ setting, threshold, stops }];
  });
}

/** @param falseMax Share of the right answers that all chosen detectors together may stop. */
export function calibrate(answers: readonly LabelledAnswer[], falseMax: number): DetectorSettings {
  const right = answers.filter((each) => each.right).length;
  const wrong = answers.length - right;
  const candidates = signals.flatMap((signal) => candidatesOf(signal, answers));
  const chosen: Candidate[] = [];
  let stopped = answers.map(() => false);
  for (;;) {
    const options = candidates
      .filter(({ setting }) => !chosen.some((each) => each.setting === setting))
      .map((candidate) => {
        const all = stopped.map((already, index) => already || candidate.stops[index] === true);
        const count = (of: boolean) =>
          all.filter((each, index) => each && answers[index]?.right === of).length;
        const before = stopped.filter((each, index) => each && !answers[index]?.right).length;
        return {
          candidate,
          all,
          falseShare: count(true) / right,
          gain: (count(false) - before) / wrong,
        };
      })
      .filter(({ falseShare, gain }) => falseShare <= falseMax && gain >= gainMin)
      .toSorted((a, b) => b.gain - a.gain || a.falseShare - b.falseShare);
    const [best] = options;
    if (best === undefined) break;
    chosen.push(best.candidate);
    stopped = best.all;
  }
  return {
    ...noDetectors,
    ...Object.fromEntries(chosen.map(({ setting, threshold }) => [setting, threshold])),
  };
}
