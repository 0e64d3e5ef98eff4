/**
 * The definition that a run has: that of its pipeline with the labels that whoever starts
 * it gives besides, and with the levels that the configuration names. The run's first
 * record has it, so that nothing of this is read again.
 */
import type { z } from 'zod';
import { type clearanceSchema, type LabelRule, levelsOf } from '../actors/labels.ts';
import type { PipelineDefinition } from '../actors/pipeline-definition.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

export type ClearanceSettings = z.output<typeof clearanceSchema>;

/**
 * @param labels Of `claw run --label`; they only ever raise a label.
 * @throws RuntimeError REQUEST_INVALID
 */
export function labelledDefinition(
  definition: PipelineDefinition,
  labels: readonly LabelRule[] = [],
  settings: ClearanceSettings = {},
): PipelineDefinition {
  const { input } = definition;
  const all = [...(input.labels ?? []), ...labels];
  if (all.length > limits.labelRulesMax) {
    throw new RuntimeError(
      'REQUEST_INVALID',
      `The run has ${all.length} patterns of labels, more than ${limits.labelRulesMax}; join some.`,
    );
  }
  const given =
    labels.length === 0 ? definition : { ...definition, input: { ...input, labels: all } };
  if (levelsOf(given) === null) return definition;
  const clearance = { ...settings, ...given.clearance };
  const levels = levelsOf({ ...given, clearance }) ?? [];
  for (const { label } of labels) {
    if (levels.includes(label)) continue;
    throw new RuntimeError(
      'REQUEST_INVALID',
      `There is no level ${label}; the levels are ${levels.join(', ')}.`,
    );
  }
  // Written out, so that other defaults of a later program change nothing in this run.
  return { ...given, clearance: { ...clearance, levels: [...levels] } };
}
