/**
 * What the members of a panel may read: no more than the agent whose answer they examine,
 * and no more than each is cleared for. Pure.
 *
 * Invariants
 *   B1. A panel with a member that may not read what its prompt names asks nobody.
 *   B2. Everybody of a panel hears everybody, so all that it asks and finds has one label,
 *       which the agent that is told of it is cleared for.
 */
import { dominates, highest, lowerClearance } from '../identity/clearance.ts';
import type { ErrorMessage } from '../kernel/errors.ts';
import { agentOf, definitionOf, stepOf } from './definition.ts';
import type { StepVariables } from './event.ts';
import { clearanceOf, levelsOf } from './labels.ts';
import { panelMembers } from './panel-members.ts';
import { promptSources, refusalOf, sourceLabels } from './reading.ts';
import type { Source } from './template-sources.ts';

interface PanelReading {
  readonly label: string;
  readonly refusal: ErrorMessage | null;
}

interface Examined {
  readonly definition: string;
  readonly step: string;
  readonly variables: StepVariables;
  /** Of the agent whose answer is examined. */
  readonly label?: string;
}

/** What the examined answer is about, whoever reads it. */
const ofAnswer: readonly Source[] = ['each', 'question', 'answer', 'critique', 'debate'];

/** Null where the pipeline has no labels. */
export function panelReading({
  definition: text,
  step: id,
  variables,
  label: own,
}: Examined): PanelReading | null {
  const definition = definitionOf(text);
  const levels = levelsOf(definition);
  if (levels === null) return null;
  const agent = agentOf(definition, stepOf(definition, id));
  const clearance = clearanceOf(levels, agent);
  const validate = agent?.validate;
  const names = validate === undefined ? [] : panelMembers(validate).map((each) => each.agent);
  const members = [...new Set(names)].flatMap((name) => {
    const member = definition.agents[name];
    return member === undefined ? [] : [{ name, member, needed: promptSources(member) }];
  });
  const labelOf = sourceLabels(levels, variables);
  const steps = Object.keys(JSON.parse(variables.steps) as object).map((step) => `steps.${step}`);
  // Programs are given everything, and what a check finds it may quote.
  const isSearched =
    validate?.pattern === 'code' || members.some(({ member }) => member.checks.length > 0);
  const searched = (isSearched ? ['document', ...steps] : [])
    .map(labelOf)
    .filter((label) => dominates(levels, clearance, label));
  const named = members.flatMap(({ needed }) => needed.map(labelOf));
  const label = highest(levels, [own, ...named, ...searched]); // (B2)
  const withExamined = (source: Source): string =>
    ofAnswer.includes(source) ? label : labelOf(source);
  for (const { name, member, needed } of members) {
    const lower = lowerClearance(levels, clearanceOf(levels, member), clearance);
    const refusal = refusalOf(levels, { name, clearance: lower, needed, labelOf: withExamined });
    if (refusal !== null) return { label, refusal }; // (B1)
  }
  return { label, refusal: null };
}
