/**
 * Labels and clearances where a supervisor decides: it holds the texts of a step whole, and
 * hands to each agent what that one may read (reading.ts). Pure; without labels it hands on
 * what there is.
 */
import { dominates, highest, lowestLevel } from '../identity/clearance.ts';
import { definitionOf } from './definition.ts';
import type { AgentFailedEvent, Critique, StartAgentEvent, StepVariables } from './event.ts';
import { clearanceOf, levelsOf } from './labels.ts';
import type { AgentDefinition } from './pipeline-definition.ts';
import { readingOf, sourceLabels } from './reading.ts';
import { templateSources } from './template-sources.ts';

interface Supervised {
  readonly variables: StepVariables;
  readonly critic?: Critique;
}

type Started = Pick<StartAgentEvent, 'variables' | 'critic' | 'reading'>;

/** What an agent is started with: its variables, and for a critic what it decides about. */
export function startedWith(
  definition: string,
  step: string,
  { variables, critic }: Supervised,
): Started {
  const asked = { step, variables, ...(critic === undefined ? {} : { critic }) };
  const read = readingOf(definition, asked);
  if (read === null) return { variables, ...(critic === undefined ? {} : { critic }) };
  const { reading } = read;
  const levels = levelsOf(definitionOf(definition)) ?? [];
  const mayHear = dominates(levels, reading.clearance, critic?.label ?? lowestLevel(levels));
  // A critic that is refused is told nothing of the doubted answer either.
  const told =
    critic !== undefined && (reading.refusal !== undefined || !mayHear)
      ? { ...critic, each: null, question: '', answer: '', reasons: [] }
      : critic;
  return { variables: read.variables, ...(told === undefined ? {} : { critic: told }), reading };
}

/** The variables of a step as its agent may read them. */
export function readableByAgent(
  definition: string,
  step: string,
  variables: StepVariables,
): StepVariables {
  return readingOf(definition, { step, variables })?.variables ?? variables;
}

/** Of the result of an agent that failed: its error may speak of what it was asked or told. */
export function failureLabel(
  definition: string,
  step: string,
  { variables }: Supervised,
  { label }: Pick<AgentFailedEvent, 'label'>,
): { label?: string } {
  const read = readingOf(definition, { step, variables });
  if (read === null) return {};
  const levels = levelsOf(definitionOf(definition)) ?? [];
  // A refusal names labels and sources alone.
  const { refusal } = read.reading;
  if (refusal !== undefined) return { label: lowestLevel(levels) };
  return { label: highest(levels, [read.reading.label, label]) };
}

/** Of a file that the supervisor itself writes, from whole texts. */
export function writtenLabel(
  definition: string,
  templates: readonly string[],
  variables: StepVariables,
  more: string | undefined,
): { label?: string } {
  const levels = levelsOf(definitionOf(definition));
  if (levels === null) return {};
  const labelOf = sourceLabels(levels, variables, more);
  return { label: highest(levels, templates.flatMap(templateSources).map(labelOf)) };
}

/** Why what a person writes is not told to the agent, or null. */
export function noteRefusal(
  definition: string,
  agent: AgentDefinition,
  label: string | undefined,
): string | null {
  const levels = levelsOf(definitionOf(definition));
  if (levels === null || label === undefined) return null;
  const clearance = clearanceOf(levels, agent);
  if (dominates(levels, clearance, label)) return null;
  return `The prompt has the label ${label}, and the agent is cleared for ${clearance}: it was withheld.`;
}

/** The highest of two labels, of which each may be missing. */
export function higherLabel(
  definition: string,
  one: string | undefined,
  other: string | undefined,
): string | undefined {
  const levels = levelsOf(definitionOf(definition));
  return levels === null || other === undefined ? one : highest(levels, [one, other]);
}
