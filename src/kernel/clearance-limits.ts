/** Bounds of labels, clearances and policies; `limits` has them all. */
const KiB = 1024;

export const clearanceLimits = {
  /** Levels of clearance that a pipeline may name. */
  clearanceLevelsMax: 16,
  /** Patterns that give documents and files their labels, and characters of one. */
  labelRulesMax: 256,
  labelPatternCharactersMax: 200,
  /** Files of a run's workspace whose labels are kept. */
  labelledFilesMax: 65_536,
  /** Runs whose actors the gateway knows by their names. */
  runProfilesMax: 4_096,
  /** Cedar policies: files, bytes of all of them, and policies in them. */
  policyFilesMax: 64,
  policyBytesMax: 256 * KiB,
  policiesMax: 512,
  /** Decisions that are remembered for the same question. */
  policyDecisionsMax: 4_096,
  /** Cases of one file of policy tests. */
  policyTestsMax: 1_000,
} as const;
