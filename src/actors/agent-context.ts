/** What an agent keeps, and what its definition and step are. */
import { assert } from '../kernel/assert.ts';
import type { ActorId } from '../kernel/ids.ts';
import type { Json, JsonObject } from '../kernel/json.ts';
import type { Answer } from './agent-answer.ts';
import type { Conversation } from './conversation.ts';
import {
  agentOf,
  definitionOf,
  elementsOf,
  isLocalOnly,
  stepOf,
  type TemplateScope,
  templateScope,
} from './definition.ts';
import type { Critique, StepVariables, TimedEvent } from './event.ts';
import type { Judgement } from './judge.ts';
import type { AgentDefinition, PipelineDefinition, StepDefinition } from './pipeline-definition.ts';
import { groupAsElement, type ReduceDefinition, type Reduction, reductionOf } from './reduction.ts';
import type { Validation } from './validation.ts';

export interface AgentContext {
  readonly self: ActorId;
  readonly parent: ActorId;
  readonly definition: string;
  readonly step: string;
  readonly variables: StepVariables;
  readonly seed: number;
  /** Answers to the elements before the present one. */
  readonly answers: readonly Answer[];
  readonly attempt: number;
  readonly temperature: number | null;
  readonly attemptSeed: number;
  readonly grounding: string | null;
  readonly judgement: Judgement | null;
  readonly written: JsonObject | null;
  /** Only of an agent with `turns`. */
  readonly conversation?: Conversation;
  /** Who is asked in place of the agent's model; only once a supervisor has said so. */
  readonly model?: string | null;
  /** Only of a critic: what it decides about. */
  readonly critic?: Critique;
  /** What the panels of the present element took; only of an agent with `validate`. */
  readonly validation?: Validation | null;
  /** Highest label of what has entered its context; only where the pipeline has labels. */
  readonly label?: string;
}

export type AgentArguments = { context: AgentContext; event: TimedEvent };

interface Plan {
  readonly definition: PipelineDefinition;
  readonly step: StepDefinition;
  readonly agent: AgentDefinition | null;
}

export function planOf(context: AgentContext): Plan {
  const definition = definitionOf(context.definition);
  const { critic } = context;
  const step =
    critic === undefined ? stepOf(definition, context.step) : criticStep(definition, critic);
  return { definition, step, agent: agentOf(definition, step) };
}

/** A critic asks once, in the place of the step's agent, and writes nothing. */
function criticStep(definition: PipelineDefinition, { of, agent }: Critique): StepDefinition {
  const asked = stepOf(definition, of);
  const { each: _each, write: _write, handoff: _handoff, ...step } = asked;
  // It reads what that agent has read.
  return { ...step, agent, ...(isLocalOnly(definition, asked) ? { privacy: 'local-only' } : {}) };
}

/** What the agent's templates see. */
export function promptScope(context: AgentContext): TemplateScope {
  const { critic, variables } = context;
  if (critic === undefined) return templateScope(variables, currentElement(context));
  const { each, question, answer, reasons } = critic;
  return { ...templateScope(variables, each), question, answer, reasons };
}

export function requireAgent(context: AgentContext): { plan: Plan; agent: AgentDefinition } {
  const plan = planOf(context);
  assert(plan.agent !== null, 'a step without an agent asks nothing');
  return { plan, agent: plan.agent };
}

export function reductionFor(
  { answers, variables }: AgentContext,
  reduce: ReduceDefinition,
): Reduction {
  return reductionOf(reduce, variables.items ?? [], answers);
}

export function currentElement(context: AgentContext): Json {
  const { step } = planOf(context);
  if (step.reduce !== undefined) return groupAsElement(reductionFor(context, step.reduce));
  return elementsOf(step, context.variables)[context.answers.length] ?? null;
}

export function hasMoreElements({ context }: { context: AgentContext }): boolean {
  const { step, agent } = planOf(context);
  if (step.reduce !== undefined) return reductionFor(context, step.reduce).group !== null;
  return agent !== null && context.answers.length < elementsOf(step, context.variables).length;
}
