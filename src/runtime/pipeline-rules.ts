/**
 * What a pipeline must obey beyond its schema: names that exist, an order of
 * steps, answer formats that are JSON Schemas. Pure.
 */
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { PipelineDefinition, StepDefinition } from '../actors/pipeline-definition.ts';
import { findCycle } from '../actors/step-graph.ts';
import type { Levels } from '../identity/clearance.ts';
import { limits } from '../kernel/limits.ts';
import { clearanceProblems } from './clearance-rules.ts';
import { handoffProblems } from './handoff-rules.ts';
import {
  invalid,
  type PipelinePath,
  type PipelineProblem,
  unknownName,
} from './pipeline-problem.ts';
import { findTemplateProblems } from './pipeline-variables.ts';
import { ruleProblems } from './rule-problems.ts';
import { validateProblems } from './validate-rules.ts';

/** All problems, each once, in no particular order; none means that the pipeline can run. */
export function findPipelineProblems(
  definition: PipelineDefinition,
  knownChecks: readonly string[],
  levels?: Levels,
): PipelineProblem[] {
  const problems = [
    ...agentProblems(definition, knownChecks),
    ...stepProblems(definition),
    ...cycleProblems(definition),
    ...validateProblems(definition),
    ...clearanceProblems(definition, levels),
    ...findTemplateProblems(definition),
  ];
  const unique = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
  return [...unique.values()];
}

function* agentProblems(
  definition: PipelineDefinition,
  knownChecks: readonly string[],
): Generator<PipelineProblem> {
  const tools = Object.keys(definition.tools);
  const agents = Object.entries(definition.agents);
  if (agents.length > limits.pipelineAgentsMax) {
    yield invalid(['agents'], `a pipeline has at most ${limits.pipelineAgentsMax} agents`);
  }
  for (const [name, { actuator, mount }] of Object.entries(definition.tools)) {
    if (mount === undefined || actuator === 'sandbox') continue;
    yield invalid(['tools', name, 'mount'], 'only a tool of the sandbox has files mounted');
  }
  for (const [name, agent] of agents) {
    const path = ['agents', name];
    for (const [index, tool] of agent.tools.entries()) {
      if (!tools.includes(tool)) yield unknownName([...path, 'tools', index], 'tool', tool, tools);
    }
    if (agent.turns !== undefined && agent.tools.length === 0) {
      yield invalid([...path, 'turns'], 'an agent without tools has nothing to go on with');
    }
    if (agent.context !== undefined && agent.turns === undefined) {
      yield invalid([...path, 'context'], 'an agent without turns is asked on its prompt alone');
    }
    yield* ruleProblems(definition, name);
    for (const setting of ['toolLoop', 'failingCalls'] as const) {
      if (agent.supervise[setting] === undefined || agent.turns !== undefined) continue;
      yield invalid([...path, 'supervise', setting], 'an agent without turns makes one call');
    }
    for (const [index, check] of agent.checks.entries()) {
      if (!knownChecks.includes(check.use)) {
        yield unknownName([...path, 'checks', index, 'use'], 'check', check.use, knownChecks);
      }
    }
    if (agent.output !== undefined) yield* schemaProblems([...path, 'output'], agent.output);
  }
}

function* stepProblems(definition: PipelineDefinition): Generator<PipelineProblem> {
  const agents = Object.keys(definition.agents);
  const ids = definition.steps.map((step) => step.id);
  for (const [index, step] of definition.steps.entries()) {
    const path = ['steps', index];
    if (ids.indexOf(step.id) !== index) {
      yield invalid([...path, 'id'], `an earlier step is already named "${step.id}"; rename one`);
    }
    if (step.agent !== undefined && !agents.includes(step.agent)) {
      yield unknownName([...path, 'agent'], 'agent', step.agent, agents);
    }
    if (step.agent === undefined && step.write === undefined) {
      yield invalid(path, 'a step needs an agent, something to write, or both');
    }
    if (step.agent === undefined && step.each !== undefined) {
      yield invalid(
        [...path, 'each'],
        'a step without an agent has nobody to ask for each element',
      );
    }
    yield* handoffProblems([...path, 'handoff'], definition, step);
    if (step.reduce !== undefined) yield* reduceProblems([...path, 'reduce'], definition, step);
    for (const [position, need] of step.needs.entries()) {
      if (!ids.includes(need)) yield unknownName([...path, 'needs', position], 'step', need, ids);
    }
  }
}

/** A step that merges works over all documents, and on nothing else. */
function* reduceProblems(
  path: PipelinePath,
  { agents, steps }: PipelineDefinition,
  { reduce, map, each, needs, agent: name }: StepDefinition,
): Generator<PipelineProblem> {
  if (map !== undefined)
    yield invalid(path, 'a step that merges is one over all documents; remove map');
  if (each !== undefined)
    yield invalid(path, 'a step that merges has its own elements; remove each');
  const agent = name === undefined ? undefined : agents[name];
  if (name === undefined) yield invalid(path, 'a step that merges needs an agent');
  if (agent !== undefined && agent.tools.length > 0) {
    yield invalid(
      path,
      `the agent "${name}" has tools, and a merge calls none; name another agent`,
    );
  }
  if (agent?.validate?.pattern === 'vote') {
    yield invalid(
      path,
      `the agent "${name}" votes about its answers, and merges differ in words; use another pattern`,
    );
  }
  const mapped = steps.filter((step) => step.map !== undefined).map(({ id }) => id);
  const merged = reduce?.step ?? '';
  if (!mapped.includes(merged)) {
    yield unknownName([...path, 'step'], 'step over each document', merged, mapped);
  } else if (!needs.includes(merged)) {
    yield invalid([...path, 'step'], `the step does not need "${merged}"; add it to needs`);
  }
}

function* cycleProblems(definition: PipelineDefinition): Generator<PipelineProblem> {
  // Two steps of one name make cycles that are none.
  if (new Set(definition.steps.map((step) => step.id)).size < definition.steps.length) return;
  const cycle = findCycle(definition.steps);
  if (cycle === null) return;
  const index = definition.steps.findIndex((step) => step.id === cycle[0]);
  yield {
    code: 'PIPELINE_CYCLE',
    path: ['steps', index, 'needs'],
    message: `steps need each other in a circle: ${cycle.join(' → ')}; remove one of these needs`,
  };
}

function* schemaProblems(path: PipelinePath, schema: object): Generator<PipelineProblem> {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false });
  try {
    // A $schema of an unknown dialect, like an unresolved $ref, throws instead.
    if (ajv.validateSchema(schema) !== true) {
      const fault = ajv.errors?.[0];
      const place = (fault?.instancePath ?? '').split('/').slice(1).map(unescapePointer);
      yield invalid([...path, ...place], `not a JSON Schema: ${fault?.message ?? 'refused'}`);
      return;
    }
    ajv.compile(schema);
  } catch (error) {
    yield invalid(path, `not a JSON Schema: ${error instanceof Error ? error.message : 'refused'}`);
  }
}

/** One part of a JSON Pointer (RFC 6901); array indexes become numbers. */
function unescapePointer(part: string): string | number {
  if (/^\d+$/.test(part)) return Number(part);
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}
