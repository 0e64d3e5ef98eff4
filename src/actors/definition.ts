/**
 * The definition travels and is stored as one text, so that a thousand actors
 * share one blob; here it becomes an object again. Parsing is remembered by
 * text, which changes no result.
 */
import { assert } from '../kernel/assert.ts';
import type { Json } from '../kernel/json.ts';
import type { StepVariables } from './event.ts';
import type { AgentDefinition, PipelineDefinition, StepDefinition } from './pipeline-definition.ts';
import type { StepResult } from './step-result.ts';

const rememberedMax = 64;
const remembered = new Map<string, PipelineDefinition>();

export function definitionOf(text: string): PipelineDefinition {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const parsed = JSON.parse(text) as PipelineDefinition;
  if (remembered.size >= rememberedMax) remembered.clear();
  remembered.set(text, parsed);
  return parsed;
}

export function stepOf(definition: PipelineDefinition, id: string): StepDefinition {
  const found = definition.steps.find((step) => step.id === id);
  assert(found !== undefined, `no step ${id}`);
  return found;
}

/** The agent of a step, or null for a step that only writes. */
export function agentOf(
  definition: PipelineDefinition,
  step: StepDefinition,
): AgentDefinition | null {
  if (step.agent === undefined) return null;
  const found = definition.agents[step.agent];
  assert(found !== undefined, `no agent ${step.agent}`);
  return found;
}

/** Whoever reads what a step reads, or goes on from it, keeps it as private as the step does. */
export function isLocalOnly(definition: PipelineDefinition, step: StepDefinition): boolean {
  const labels = [step.privacy, agentOf(definition, step)?.privacy];
  if (labels.includes('local-only')) return true;
  const { handoff } = step;
  return handoff !== undefined && isLocalOnly(definition, stepOf(definition, handoff.from));
}

/** What templates see. */
export interface TemplateScope {
  readonly [name: string]: unknown;
  readonly steps: Record<string, StepResult>;
}

export function templateScope(variables: StepVariables, each: Json): TemplateScope {
  return {
    document: variables.document,
    steps: JSON.parse(variables.steps) as Record<string, StepResult>,
    items: (variables.items ?? []).map((item) => JSON.parse(item) as unknown),
    run: variables.run,
    each,
  };
}

/** The elements that a step works through: one null without `each`. */
export function elementsOf(step: StepDefinition, variables: StepVariables): readonly Json[] {
  if (step.each === undefined) return [null];
  let value: unknown = templateScope(variables, null);
  for (const name of step.each.split('.')) {
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, name)
        ? (value as Record<string, unknown>)[name]
        : undefined;
  }
  return Array.isArray(value) ? value : [];
}
