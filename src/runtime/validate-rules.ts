/**
 * What `validate` of an agent must obey beyond its schema: members that exist,
 * that nobody examines in turn, and that answer what the pattern reads. Pure.
 */
import { type PanelMember, panelMembers } from '../actors/panel-members.ts';
import type { AgentDefinition, PipelineDefinition } from '../actors/pipeline-definition.ts';
import { findCycle } from '../actors/step-graph.ts';
import type { ValidateDefinition } from '../actors/validate-definition.ts';
import type { PipelinePath, PipelineProblem } from './pipeline-problem.ts';

type Agents = PipelineDefinition['agents'];

export function* validateProblems({ agents }: PipelineDefinition): Generator<PipelineProblem> {
  for (const [name, agent] of Object.entries(agents)) {
    const { validate } = agent;
    if (validate === undefined) continue;
    const path = ['agents', name, 'validate'];
    yield* ownProblems(path, agent, validate);
    for (const member of panelMembers(validate)) yield* memberProblems(path, agents, member);
  }
  const circle = circleOf(agents);
  if (circle === null) return;
  const message = `agents examine each other in a circle: ${circle.join(' → ')}; name another agent`;
  yield { code: 'PIPELINE_CYCLE', path: ['agents', circle[0] ?? '', 'validate'], message };
}

/** What the pattern needs of the agent whose answers are examined. */
function* ownProblems(
  path: PipelinePath,
  agent: AgentDefinition,
  validate: ValidateDefinition,
): Generator<PipelineProblem> {
  if (validate.pattern === 'vote') {
    if (agent.turns !== undefined) {
      const message =
        'a vote asks one question again, and an agent with turns has a conversation; use another pattern';
      yield invalid([...path, 'pattern'], message);
    }
    if (validate.compare !== undefined && agent.output === undefined) {
      yield invalid(
        [...path, 'compare'],
        'an answer without an output schema is text, without paths',
      );
    }
  }
  if (validate.pattern !== 'code') return;
  if (validate.source === undefined && validate.agent === undefined) {
    yield invalid(path, 'there is no program; give source, or an agent that writes it');
  }
}

function* memberProblems(
  path: PipelinePath,
  agents: Agents,
  { agent: name, path: place, accept }: PanelMember,
): Generator<PipelineProblem> {
  const at = [...path, ...place];
  const member = Object.hasOwn(agents, name) ? agents[name] : undefined;
  if (member === undefined) {
    const known = Object.keys(agents).join(', ');
    const message = `there is no agent "${name}"; there are ${known}`;
    yield { code: 'PIPELINE_UNKNOWN_REFERENCE', path: at, message };
    return;
  }
  const isCircle = circleOf(agents) !== null;
  for (const setting of ['validate', 'turns', 'tools'] as const) {
    if (setting === 'validate' && isCircle) continue; // Told as what it is.
    const value = member[setting];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    const message = `the agent "${name}" examines answers, so it has no ${setting} of its own; name another agent`;
    yield invalid(at, message);
  }
  if (accept === null) return;
  if (member.output === undefined) {
    const message = `the agent "${name}" decides by ${accept} of its answer; give it an output schema with that property`;
    yield invalid(at, message);
    return;
  }
  const { properties } = member.output;
  if (typeof properties !== 'object' || properties === null) return;
  if (Object.hasOwn(properties, accept)) return;
  const message = `the answer of "${name}" has no ${accept}; name the property that decides with accept`;
  yield invalid(at, message);
}

/** Names of agents that examine each other, the first one repeated at the end; or null. */
function circleOf(agents: Agents): string[] | null {
  const graph = Object.entries(agents).map(([id, { validate }]) => ({
    id,
    needs: validate === undefined ? [] : panelMembers(validate).map(({ agent }) => agent),
  }));
  return findCycle(graph);
}

function invalid(path: PipelinePath, message: string): PipelineProblem {
  return { code: 'PIPELINE_INVALID', path, message };
}
