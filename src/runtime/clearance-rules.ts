/** What labels and clearances of a pipeline must obey beyond their schema. Pure. */
import { levelsOf } from '../actors/labels.ts';
import type { PipelineDefinition } from '../actors/pipeline-definition.ts';
import type { Levels } from '../identity/clearance.ts';
import { type PipelinePath, type PipelineProblem, unknownName } from './pipeline-problem.ts';

/** @param configured Levels of the configuration, for pipelines that name none. */
export function* clearanceProblems(
  definition: PipelineDefinition,
  configured?: Levels,
): Generator<PipelineProblem> {
  const levels = definition.clearance?.levels ?? configured ?? levelsOf(definition);
  if (levels === null) return;
  const { input, agents, clearance } = definition;
  const named: (readonly [PipelinePath, string | undefined])[] = [
    [['input', 'defaultLabel'], input.defaultLabel],
    [['clearance', 'localOnlyFrom'], clearance?.localOnlyFrom],
    ...(input.labels ?? []).map(
      ({ label }, index) => [['input', 'labels', index, 'label'], label] as const,
    ),
    ...Object.entries(agents).map(
      ([name, agent]) => [['agents', name, 'clearance'], agent.clearance] as const,
    ),
  ];
  for (const [path, level] of named) {
    if (level !== undefined && !levels.includes(level)) {
      yield unknownName(path, 'level', level, levels);
    }
  }
}
