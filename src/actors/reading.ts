/**
 * What an agent may read of what its step could: where its clearance is too low for
 * something, it is started without it, and where it cannot do without, it is refused. Pure.
 *
 * Invariants
 *   R1. What an agent is started with has no text above its clearance, whether or not
 *       its templates name it.
 *   R2. An agent whose templates name what is withheld from it is refused before it
 *       is asked anything; the refusal names labels and sources, never a text.
 *   R3. What an agent makes has the highest label of everything that may have entered
 *       its context: what its templates, checks and handovers read.
 *   R4. A search (grounding) goes over what the agent may read and nothing else; it is no
 *       refusal to find nothing.
 */
import {
  dominates,
  highest,
  type Levels,
  lowerClearance,
  lowestLevel,
  readableBy,
} from '../identity/clearance.ts';
import type { ErrorMessage } from '../kernel/errors.ts';
import { agentOf, definitionOf, stepOf } from './definition.ts';
import type { Critique, StepVariables } from './event.ts';
import { clearanceOf, levelsOf } from './labels.ts';
import type { AgentDefinition, PipelineDefinition, StepDefinition } from './pipeline-definition.ts';
import type { StepResult } from './step-result.ts';
import { type Source, sourceOfPath, templateSources } from './template-sources.ts';

/** As the start event of an agent has it; only where the pipeline has labels. */
export interface Reading {
  readonly clearance: string;
  /** Of everything that may enter its context from the start (R3). */
  readonly label: string;
  /** Sources above the clearance, with their labels (R1). */
  readonly withheld: Readonly<Record<Source, string>>;
  /** Why it is not asked at all (R2). */
  readonly refusal?: ErrorMessage;
}

/** What an agent reads: sources that it cannot do without, and those that are searched. */
interface Sources {
  readonly needed: readonly Source[];
  readonly searched: readonly Source[];
}

type Steps = Readonly<Record<string, StepResult>>;

interface Item {
  readonly document: unknown;
  readonly steps: Steps;
}

/** Label of the words of whoever is examined: its question, answer and doubts. */
const examined: readonly Source[] = ['question', 'answer', 'reasons', 'critique', 'debate'];

function labelsOfSteps(levels: Levels, steps: Steps): string {
  return highest(
    levels,
    Object.values(steps).map(({ label }) => label),
  );
}

function itemsOf({ items }: StepVariables): Item[] {
  return (items ?? []).map((item) => JSON.parse(item) as Item);
}

/** The label of each source that the variables have. */
export function sourceLabels(
  levels: Levels,
  variables: StepVariables,
  ofExamined?: string,
): (source: Source) => string {
  const steps = JSON.parse(variables.steps) as Steps;
  const items = itemsOf(variables);
  return (source) => {
    if (source === 'document') return variables.document?.label ?? lowestLevel(levels);
    if (source === 'steps') return labelsOfSteps(levels, steps);
    if (source === 'items')
      return highest(
        levels,
        items.map((each) => labelsOfSteps(levels, each.steps)),
      );
    if (examined.includes(source)) return ofExamined ?? lowestLevel(levels);
    const [head, id = ''] = source.split('.');
    if (head === 'steps') return steps[id]?.label ?? lowestLevel(levels);
    if (head !== 'items') return lowestLevel(levels);
    return highest(
      levels,
      items.map((each) => each.steps[id]?.label),
    );
  };
}

/** What is left of a result that may not be read: that there is one, and its label. */
function withheldResult(label: string | undefined): StepResult {
  const reasons = [`Withheld: its label is ${label}.`];
  const nothing = { verdict: 'skipped', output: null, confidence: null, attempts: 0 } as const;
  return { ...nothing, reasons, ...(label === undefined ? {} : { label }) };
}

/** The variables without the texts above the clearance (R1); names and labels stay. */
export function readableVariables(
  levels: Levels,
  clearance: string,
  variables: StepVariables,
): StepVariables {
  const { document, steps, items } = variables;
  const mayRead = readableBy<{ readonly label?: string }>(levels, clearance, ({ label }) => label);
  const readable = (text: string, all: Steps, whole: (steps: Steps) => unknown): string => {
    const entries = Object.entries(all);
    if (entries.every(([, result]) => mayRead(result))) return text;
    const kept = entries.map(
      ([id, result]) => [id, mayRead(result) ? result : withheldResult(result.label)] as const,
    );
    return JSON.stringify(whole(Object.fromEntries(kept)));
  };
  return {
    ...variables,
    document: document === null || mayRead(document) ? document : { ...document, text: '' },
    steps: readable(steps, JSON.parse(steps) as Steps, (kept) => kept),
    items:
      items?.map((text) => {
        const item = JSON.parse(text) as Item;
        return readable(text, item.steps, (kept) => ({ ...item, steps: kept }));
      }) ?? null,
  };
}

function withheldFrom(
  levels: Levels,
  clearance: string,
  variables: StepVariables,
): Record<Source, string> {
  const labelOf = sourceLabels(levels, variables);
  const ids = Object.keys(JSON.parse(variables.steps) as Steps).map((id) => `steps.${id}`);
  const all = ['document', ...ids, 'items'].map((source) => [source, labelOf(source)] as const);
  return Object.fromEntries(all.filter(([, label]) => !dominates(levels, clearance, label)));
}

function pinTexts({ pins = [] }: AgentDefinition): string[] {
  return pins.map((pin) => (typeof pin === 'string' ? pin : pin.text));
}

/** What is read by an agent that is asked on its own prompt alone. */
export function promptSources(agent: AgentDefinition): readonly Source[] {
  return [agent.prompt, agent.system ?? '', ...pinTexts(agent)].flatMap(templateSources);
}

/** The element at work as what it is taken from. */
function elementSource({ each, reduce }: StepDefinition): Source | null {
  if (reduce !== undefined) return `items.${reduce.step}`;
  return each === undefined ? null : sourceOfPath(each);
}

/** Everything that the agent of a step can come to read (R3). */
function sourcesOf(
  step: StepDefinition,
  agent: AgentDefinition | null,
  isCritic: boolean,
): Sources {
  const needed: Source[] = agent === null ? [] : [...promptSources(agent)];
  const searched: Source[] = [];
  const element = elementSource(step);
  if (!isCritic) {
    const { write, handoff } = step;
    if (element !== null) needed.push(element);
    if (write !== undefined) needed.push(...[write.path, write.template].flatMap(templateSources));
    if (handoff !== undefined) needed.push(`steps.${handoff.from}`);
    if (handoff !== undefined) searched.push('document');
    const prompts = (agent?.supervise.rules ?? []).flatMap(({ prompt }) => prompt ?? []);
    const groundings = [agent?.supervise.grounding ?? '', ...prompts].flatMap(templateSources);
    needed.push(...groundings.filter((each) => !examined.includes(each)));
  }
  // What a check finds it may quote.
  if ((agent?.checks.length ?? 0) > 0 || agent?.supervise.contradiction === true) {
    searched.push('document', 'steps');
  }
  const real = needed.flatMap((source): Source[] => {
    if (source === 'each') return element === null ? [] : [element];
    if (source === 'facts' || source === 'results') {
      searched.push(source === 'facts' ? 'document' : 'steps');
      return [];
    }
    // Its own result is what it makes of the rest.
    return source === `steps.${step.id}` ? [] : [source];
  });
  return { needed: [...new Set(real)], searched: [...new Set(searched)] };
}

interface Asked {
  readonly step: string;
  readonly variables: StepVariables;
  /** Of an agent that decides about the answer of another one. */
  readonly critic?: Critique;
}

/** Who reads: the agent of the step, or a critic, who is told no more than whom it examines. */
function readerOf(
  definition: PipelineDefinition,
  levels: Levels,
  { step: id, critic }: Asked,
): { step: StepDefinition; agent: AgentDefinition | null; name: string; clearance: string } {
  const step = stepOf(definition, critic?.of ?? id);
  const own = agentOf(definition, step);
  const ownClearance = clearanceOf(levels, own);
  if (critic === undefined) {
    return { step, agent: own, name: step.agent ?? '', clearance: ownClearance };
  }
  const agent = definition.agents[critic.agent] ?? null;
  const clearance = lowerClearance(levels, clearanceOf(levels, agent), ownClearance);
  return { step, agent, name: critic.agent, clearance };
}

/** The variables as the agent may read them, and what follows; null without labels. */
export function readingOf(
  definitionText: string,
  asked: Asked,
): { readonly variables: StepVariables; readonly reading: Reading } | null {
  const definition = definitionOf(definitionText);
  const levels = levelsOf(definition);
  if (levels === null) return null;
  const { variables, critic } = asked;
  const { step, agent, name, clearance } = readerOf(definition, levels, asked);
  const labelOf = sourceLabels(levels, variables, critic?.label);
  const readable = readableVariables(levels, clearance, variables);
  const { needed, searched } = sourcesOf(step, agent, critic !== undefined);
  const refusal = refusalOf(levels, { name, clearance, needed, labelOf });
  const ids = Object.keys(JSON.parse(variables.steps) as Steps).map((id) => `steps.${id}`);
  const found = searched.flatMap((source) => (source === 'steps' ? ids : [source])); // (R4)
  const labels = [...needed, ...found].map(labelOf);
  const label = highest(
    levels,
    labels.filter((each) => dominates(levels, clearance, each)),
  );
  const withheld = withheldFrom(levels, clearance, variables);
  const reading = { clearance, label, withheld, ...(refusal === null ? {} : { refusal }) };
  return { variables: readable, reading };
}

/** Why a reader is refused (R2); null where it may read all that it needs. */
export function refusalOf(
  levels: Levels,
  reader: {
    readonly name: string;
    readonly clearance: string;
    readonly needed: readonly Source[];
    readonly labelOf: (source: Source) => string;
  },
): ErrorMessage | null {
  const { name, clearance, needed, labelOf } = reader;
  const above = needed.filter((source) => !dominates(levels, clearance, labelOf(source)));
  if (above.length === 0) return null;
  const named = [...new Set(above)].map((source) => `${source} (${labelOf(source)})`).join(', ');
  const message = `The agent ${name} is cleared for ${clearance} and reads ${named}; give it a higher clearance, or a prompt without it.`;
  return { code: 'CLEARANCE_INSUFFICIENT', message, retryable: false };
}
