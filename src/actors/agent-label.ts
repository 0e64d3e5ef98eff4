/**
 * The label of what an agent has read: it begins with what the agent was started with,
 * and is raised by everything that it is told later. Pure; an agent of a pipeline without
 * labels passes through here unchanged.
 */
import { highest } from '../identity/clearance.ts';
import { isJsonObject, type Json } from '../kernel/json.ts';
import type { AgentContext } from './agent-context.ts';
import { definitionOf } from './definition.ts';
import type { TimedEvent } from './event.ts';
import { levelsOf } from './labels.ts';
import { readingOf } from './reading.ts';

type Labelled = Pick<AgentContext, 'definition' | 'label'>;

/** Whether the agent is started to hear that it may not read what it needs. */
export function isRefused({ event }: { readonly event: TimedEvent }): boolean {
  return (
    event.type === 'start' && event.machine === 'agent' && event.reading?.refusal !== undefined
  );
}

/** The label once something with another one has been heard. */
export function heard(
  { definition, label }: Labelled,
  ...labels: readonly (string | undefined)[]
): { label?: string } {
  const levels = levelsOf(definitionOf(definition));
  return levels === null ? {} : { label: highest(levels, [label, ...labels]) };
}

/** The agent under another definition, whose prompts may read more of what it has. */
export function amended(context: AgentContext, definition: string): Partial<AgentContext> {
  const { step, variables, critic } = context;
  const asked = { step, variables, ...(critic === undefined ? {} : { critic }) };
  const label = readingOf(definition, asked)?.reading.label;
  return { definition, ...heard({ ...context, definition }, label) };
}

/** The label that the result of an operation says that it has. */
export function labelOfValue(value: Json): string | undefined {
  return isJsonObject(value) && typeof value.label === 'string' ? value.label : undefined;
}

/** As a part of what the agent makes. */
export function labelOf({ label }: Labelled): { label?: string } {
  return label === undefined ? {} : { label };
}
