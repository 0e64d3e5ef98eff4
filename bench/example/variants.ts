/** The recipe of the example, and what is left of it without supervisor and without checks. */
import type { PipelineDefinition } from '../../src/actors/pipeline-definition.ts';

export type VariantName = 'supervised' | 'unsupervised' | 'bare';

type Agents = PipelineDefinition['agents'];

function mapAgents(
  definition: PipelineDefinition,
  change: (agent: Agents[string]) => Agents[string],
): PipelineDefinition {
  const agents = Object.entries(definition.agents).map(([name, agent]) => [name, change(agent)]);
  return { ...definition, agents: Object.fromEntries(agents) as Agents };
}

/**
 * supervised: the recipe as it is. unsupervised: the same checks, but no
 * detector and no second attempt. bare: the model's first answer, unchecked.
 */
export function variantOf(definition: PipelineDefinition, name: VariantName): PipelineDefinition {
  switch (name) {
    case 'supervised':
      return definition;
    case 'unsupervised':
      return mapAgents(definition, (agent) => ({
        ...agent,
        supervise: { retries: 0, temperatures: [] },
      }));
    case 'bare': {
      const bare = mapAgents(definition, (agent) => ({
        ...agent,
        supervise: { retries: 0, temperatures: [] },
        // The parts of the message are no check of the answer; later steps read them.
        checks: agent.checks.filter((check) => check.use === 'parts'),
      }));
      const steps = bare.steps.filter((step) => step.map !== undefined && step.id !== 'critic');
      const { report: _, ...rest } = bare;
      return { ...rest, steps };
    }
    default:
      return name satisfies never;
  }
}
