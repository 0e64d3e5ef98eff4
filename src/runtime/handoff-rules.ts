/** What `handoff` of a step must obey beyond its schema. Pure. */
import { agentOf } from '../actors/definition.ts';
import { contextObstacle } from '../actors/handoff.ts';
import type { PipelineDefinition, StepDefinition } from '../actors/pipeline-definition.ts';
import {
  invalid,
  type PipelinePath,
  type PipelineProblem,
  unknownName,
} from './pipeline-problem.ts';

export function* handoffProblems(
  path: PipelinePath,
  definition: PipelineDefinition,
  step: StepDefinition,
): Generator<PipelineProblem> {
  const { handoff } = step;
  if (handoff === undefined) return;
  const { from } = handoff;
  const at = [...path, 'from'];
  const sender = definition.steps.find(({ id }) => id === from);
  if (sender === undefined) {
    const ids = definition.steps.map(({ id }) => id);
    yield unknownName(at, 'step', from, ids);
    return;
  }
  if (!step.needs.includes(from)) {
    yield invalid(at, `the step does not need "${from}"; add it to needs`);
  }
  if (step.agent === undefined) yield invalid(path, 'a step without an agent has nobody to go on');
  if (sender.agent === undefined) yield invalid(at, `"${from}" has no agent that could hand over`);
  if (sender.each !== undefined || sender.reduce !== undefined) {
    yield invalid(at, `"${from}" asks once for each element, so no one answer is handed over`);
  }
  if (sender.map !== undefined && step.map === undefined) {
    yield invalid(at, `"${from}" ends once for each document; add map: documents`);
  }
  const agents = [sender, step].map((each) => knownAgent(definition, each));
  const [one = null, other = null] = agents;
  const obstacle =
    handoff.as === 'context' && agents.every(Boolean) ? contextObstacle(one, other) : null;
  if (obstacle !== null) yield invalid([...path, 'as'], `${obstacle}; say snapshot or auto`);
}

/** Null for a name that is told elsewhere. */
function knownAgent(definition: PipelineDefinition, step: StepDefinition) {
  const known = step.agent !== undefined && Object.hasOwn(definition.agents, step.agent);
  return known ? agentOf(definition, step) : null;
}
