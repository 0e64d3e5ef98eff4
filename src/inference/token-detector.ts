/** The contract of a detector: a pure reducer over the tokens of a generation. */
import type { DetectorHalt, GeneratedToken } from './model-port.ts';

/** What a detector makes of one token. */
export interface DetectorStep<State> {
  readonly halt: DetectorHalt | null;
  readonly state: State;
  /** Something begins that is not yet worth a halt: the next tokens are looked at closely. */
  readonly stirs?: boolean;
  /** With a halt: how many tokens at the start of the answer are still good; without it, those before `halt.atToken`. */
  readonly goodTokens?: number;
}

/** A pure reducer over tokens. */
export interface TokenDetector<State> {
  readonly initial: State;
  reduce(state: State, token: GeneratedToken): DetectorStep<State>;
}
