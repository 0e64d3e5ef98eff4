/**
 * What an agent asks a model, as an intention: pure, and for agents that use none of the
 * later settings word for word what it was before there were any.
 */
import type { JsonObject } from '../kernel/json.ts';
import { act } from './act.ts';
import { isLocalOnly } from './definition.ts';
import type { ActIntention } from './intention.ts';
import { isKeptLocal, levelsOf } from './labels.ts';
import type { AgentDefinition, PipelineDefinition, StepDefinition } from './pipeline-definition.ts';

export interface AgentQuestion {
  readonly definition: PipelineDefinition;
  /** The step in which it is asked: what is private there is so for whoever is asked. */
  readonly step: StepDefinition;
  readonly agent: AgentDefinition;
  /** Messages, or a context. */
  readonly asked: JsonObject;
  /** By name; null: whichever serves. */
  readonly model: string | null;
  readonly temperature: number;
  readonly seed: number;
  /** Of what is asked; only where the pipeline has labels. */
  readonly label?: string | undefined;
}

/** What the model is asked by an agent, under its limits. */
export function generation(tag: string, question: AgentQuestion): ActIntention {
  const { agent, asked, model, temperature, seed, label } = question;
  return act(
    tag,
    { actuator: 'inference', operation: 'generate' },
    {
      ...asked,
      model,
      ...chosenBy(question),
      schema: (agent.output as JsonObject | undefined) ?? null,
      temperature,
      seed,
      maxTokens: agent.limits.maxTokens,
      ...(agent.priority === undefined ? {} : { priority: agent.priority }),
      ...(agent.supervise.resample === undefined
        ? {}
        : { correction: { ...agent.supervise.resample } }),
      timeoutMs: agent.limits.timeoutMs,
      detectors: {
        minConfidence: agent.supervise.minConfidence ?? null,
        repetition: agent.supervise.repetition ?? null,
        ...laterDetectors(agent.supervise),
      },
      ...(label === undefined ? {} : { label }),
    },
  );
}

/** Nothing where neither is said. */
function chosenBy({ definition, step, agent, model, label }: AgentQuestion): JsonObject {
  const levels = levelsOf(definition);
  const isPrivate =
    agent.privacy === 'local-only' ||
    isLocalOnly(definition, step) ||
    (levels !== null && label !== undefined && isKeptLocal(definition, levels, label));
  const { routing } = definition;
  return {
    ...(isPrivate ? { privacy: 'local-only' } : {}),
    ...(routing === undefined || model !== null ? {} : { routing: routing as JsonObject }),
  };
}

function laterDetectors(supervise: AgentDefinition['supervise']): JsonObject {
  const { spike, perplexity, collapse, nearRepetition, stall } = supervise;
  const all = { spike, perplexity, collapse, nearRepetition, stall };
  return Object.fromEntries(
    Object.entries(all).filter((each): each is [string, number] => each[1] !== undefined),
  );
}
