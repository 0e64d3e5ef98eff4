/**
 * What a pipeline says of labels and clearances, and what follows from it. A
 * pipeline that says nothing has no labels at all: states, events and intentions
 * of its runs are what they would be without this file.
 *
 * Invariants
 *   L1. As soon as a pipeline labels anything, an agent without a clearance is
 *       cleared for the lowest level alone.
 *   L2. Of several patterns that match, the highest label counts: a rule more
 *       never lowers a label.
 */
import { z } from 'zod';
import {
  defaultLevels,
  highest,
  highestLevel,
  type Levels,
  labelRank,
  levelName,
  levelsSchema,
  lowestLevel,
} from '../identity/clearance.ts';
import { limits } from '../kernel/limits.ts';
import { matchesPattern } from '../kernel/name-pattern.ts';
import type { AgentDefinition, PipelineDefinition } from './pipeline-definition.ts';

export const clearanceSchema = z
  .strictObject({
    levels: levelsSchema
      .optional()
      .describe(
        'Names of levels, the lowest first. Without it public, internal, confidential, secret.',
      ),
    localOnlyFrom: levelName
      .optional()
      .describe('What has this label or a higher one is asked of models on this machine alone.'),
  })
  .describe('Levels of labels and clearances.');

export const labelRuleSchema = z.strictObject({
  match: z
    .string()
    .min(1)
    .max(limits.labelPatternCharactersMax)
    .describe(
      'Name of a document, or path of a workspace file: * matches within a part, ** across parts.',
    ),
  label: levelName.describe('Its label.'),
});

export type LabelRule = z.output<typeof labelRuleSchema>;

/** Of `input`. */
export const inputLabelsShape = {
  labels: z
    .array(labelRuleSchema)
    .max(limits.labelRulesMax)
    .optional()
    .describe(
      'Labels of documents and workspace files; the highest that matches counts. With labels, an agent reads what its clearance covers and nothing else.',
    ),
  defaultLabel: levelName
    .optional()
    .describe('Label of what no pattern matches; without it the lowest level.'),
};

export const agentClearance = levelName
  .optional()
  .describe(
    'Highest label that the agent may read. Without it the lowest level, where anything is labelled.',
  );

/** Whether the pipeline says anything of labels. */
function isLabelled({ clearance, input, agents }: PipelineDefinition): boolean {
  return (
    clearance !== undefined ||
    input.labels !== undefined ||
    input.defaultLabel !== undefined ||
    Object.values(agents).some((agent) => agent.clearance !== undefined)
  );
}

/** The levels of a pipeline; null where nothing has a label. */
export function levelsOf(definition: PipelineDefinition): Levels | null {
  if (!isLabelled(definition)) return null;
  return definition.clearance?.levels ?? defaultLevels;
}

/** What the agent may read (L1); a step without one asks no model and may read all. */
export function clearanceOf(levels: Levels, agent: AgentDefinition | null): string {
  if (agent === null) return highestLevel(levels);
  return agent.clearance ?? lowestLevel(levels);
}

/** The highest label that a pattern gives the name (L2); undefined where none matches. Case is ignored. */
export function labelMatching(
  { input }: PipelineDefinition,
  levels: Levels,
  name: string,
): string | undefined {
  const lower = name.normalize('NFC').toLowerCase();
  const found = (input.labels ?? []).filter(({ match }) =>
    matchesPattern(match.normalize('NFC').toLowerCase(), lower),
  );
  if (found.length === 0) return undefined;
  return highest(
    levels,
    found.map(({ label }) => label),
  );
}

/** The label of a document by its name. */
export function labelOfDocument(
  definition: PipelineDefinition,
  levels: Levels,
  name: string,
): string {
  const unmatched = definition.input.defaultLabel ?? lowestLevel(levels);
  return labelMatching(definition, levels, name) ?? unmatched;
}

/** Whether a text with the label may be asked of models on this machine alone. */
export function isKeptLocal(
  { clearance }: PipelineDefinition,
  levels: Levels,
  label: string,
): boolean {
  const from = clearance?.localOnlyFrom;
  return from !== undefined && labelRank(levels, label) >= labelRank(levels, from);
}
