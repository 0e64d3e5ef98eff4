/**
 * The contract of a detector, and the runner that feeds every token of a
 * generation to the detectors of its request.
 */
import { confidenceDetector } from './confidence-detector.ts';
import type { DetectorHalt, DetectorSettings, GeneratedToken } from './model-port.ts';
import { repetitionDetector } from './repetition-detector.ts';

/** A pure reducer over tokens. */
export interface TokenDetector<State> {
  readonly initial: State;
  reduce(
    state: State,
    token: GeneratedToken,
  ): { readonly halt: DetectorHalt | null; readonly state: State };
}

/** Takes the next token; answers the first halt of any detector, or null. */
export type DetectorRun = (token: GeneratedToken) => DetectorHalt | null;

function start<State>(detector: TokenDetector<State>): DetectorRun {
  let state = detector.initial;
  return (token) => {
    const step = detector.reduce(state, token);
    state = step.state;
    return step.halt;
  };
}

/** Starts the detectors that the settings switch on. Confidence is asked first. */
export function startDetectors(settings: DetectorSettings): DetectorRun {
  const runs: DetectorRun[] = [];
  if (settings.minConfidence !== null) runs.push(start(confidenceDetector(settings.minConfidence)));
  if (settings.repetition !== null) runs.push(start(repetitionDetector(settings.repetition)));
  return (token) => {
    let first: DetectorHalt | null = null;
    for (const run of runs) {
      const halt = run(token);
      first ??= halt;
    }
    return first;
  };
}
