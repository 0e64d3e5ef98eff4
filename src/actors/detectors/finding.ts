/** What a detector or a check saw, in one sentence that a person can verify. */
export interface Finding {
  /** Name of the detector or check, as `when` of a rule has it. */
  readonly source: string;
  readonly evidence: string;
}

/** Detectors over the events of a run, each with the setting that switches it on. */
export const runDetectors = {
  'tool-loop': 'toolLoop',
  'failing-calls': 'failingCalls',
  contradiction: 'contradiction',
  forgetting: 'forgetting',
} as const;
