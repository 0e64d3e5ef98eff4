/**
 * Who an actor of a run is, told from its name and the definition: what it is cleared for
 * and which operations the pipeline gives it. Pure, so that whoever attests it and whoever
 * checks it agree.
 *
 * Invariants
 *   P1. An actor whose name the definition does not explain has no profile.
 *   P2. Nobody who examines an answer has a higher clearance than whoever gave it.
 */
import { highest, highestLevel, type Levels, lowerClearance } from '../identity/clearance.ts';
import { agentOf } from './definition.ts';
import { clearanceOf, levelsOf } from './labels.ts';
import type { AgentDefinition, PipelineDefinition, StepDefinition } from './pipeline-definition.ts';

export interface ActorProfile {
  readonly kind: 'pipeline' | 'supervisor' | 'agent' | 'critic' | 'panel';
  /** Name of the agent, or of the step of one without; of others their kind. */
  readonly name: string;
  /** Levels of the pipeline, and the clearance; null where nothing has a label. */
  readonly clearance: { readonly levels: Levels; readonly of: string } | null;
  /** Operations that the pipeline declares for it, such as `file.read`. */
  readonly operations: readonly string[];
}

const documentPattern = /^document-\d+$/;
const agentPattern = /^([^.]+)(?:\.(?:(critic-)?\d+))?$/;
const panelPattern = /^panel-\d+-\d+$/;

function toolOperations({ tools }: PipelineDefinition, agent: AgentDefinition | null): string[] {
  return (agent?.tools ?? []).flatMap((name) => {
    const tool = tools[name];
    return tool === undefined ? [] : [`${tool.actuator}.${tool.operation}`];
  });
}

function writeOperation({ write }: StepDefinition): string[] {
  if (write === undefined) return [];
  return [write.append === true ? 'file.append' : 'file.write'];
}

const generate = 'inference.generate';

/** The actor that a supervisor has started for a step. */
function agentProfile(
  definition: PipelineDefinition,
  levels: Levels | null,
  name: string,
): { readonly profile: ActorProfile; readonly step: StepDefinition } | null {
  const [, id, critic] = agentPattern.exec(name) ?? [];
  const step = definition.steps.find((each) => each.id === id);
  if (step === undefined) return null; // (P1)
  const own = agentOf(definition, step);
  const clearance = levels === null ? null : { levels, of: clearanceOf(levels, own) };
  if (critic === undefined) {
    const asks = own === null ? [] : [generate];
    const operations = [...asks, ...toolOperations(definition, own), ...writeOperation(step)];
    const profile = { kind: 'agent', name: step.agent ?? step.id, clearance, operations } as const;
    return { profile, step };
  }
  const rules = own?.supervise.rules ?? [];
  const names = [
    ...new Set(
      rules.flatMap(({ do: what, agent }) =>
        what === 'critic' && agent !== undefined ? [agent] : [],
      ),
    ),
  ];
  const critics = names.flatMap((each) => definition.agents[each] ?? []);
  if (critics.length === 0) return null;
  const operations = [generate, ...critics.flatMap((each) => toolOperations(definition, each))];
  // Which of several critics it is only the supervisor knows; each was checked when it was started.
  const highestOf = (all: Levels): string =>
    highest(
      all,
      critics.map((each) => clearanceOf(all, each)),
    );
  const examining =
    levels === null
      ? null
      : { levels, of: lowerClearance(levels, highestOf(levels), clearanceOf(levels, own)) }; // (P2)
  const named = { kind: 'critic', name: names.join('|') } as const;
  const profile = { ...named, clearance: examining, operations };
  return { profile, step };
}

/** The profile of an actor; null of one that no run of the pipeline has (P1). */
export function actorProfile(definition: PipelineDefinition, actor: string): ActorProfile | null {
  const levels = levelsOf(definition);
  const whole = levels === null ? null : { levels, of: highestLevel(levels) };
  const [root, ...path] = actor.split('/');
  if (root !== 'run') return null;
  const rest = documentPattern.test(path[0] ?? '') ? path.slice(1) : path;
  const [supervisor, agent, panel, ...deeper] = rest;
  if (supervisor === undefined) {
    return { kind: 'pipeline', name: 'pipeline', clearance: whole, operations: ['blobs.read'] };
  }
  if (supervisor !== 'supervisor' || deeper.length > 0) return null;
  if (agent === undefined) {
    const recovers = definition.recovery === undefined ? [] : ['file.write'];
    const operations = ['clock.wake', 'human.decide', ...recovers];
    return { kind: 'supervisor', name: 'supervisor', clearance: whole, operations };
  }
  const found = agentProfile(definition, levels, agent);
  if (found === null || panel === undefined) return found?.profile ?? null;
  const examiner = agentOf(definition, found.step)?.validate;
  if (!panelPattern.test(panel) || examiner === undefined) return null;
  const runs = examiner.pattern === 'code' ? ['sandbox.run'] : [];
  return { ...found.profile, kind: 'panel', operations: [generate, ...runs] }; // (P2)
}
