/**
 * Which variables each template of a pipeline may read. Pure.
 *
 * A name outside sections must exist where the template is used. Inside a
 * section a name may belong to the element of a list, whose shape only the run
 * knows; there only the step ids behind `steps.` are checked.
 */
import { type PanelMember, panelMembers } from '../actors/panel-members.ts';
import type { PipelineDefinition, StepDefinition } from '../actors/pipeline-definition.ts';
import { ancestors } from '../actors/step-graph.ts';
import { type TemplateReference, templateReferences } from '../actors/template.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { PipelinePath, PipelineProblem } from './pipeline-problem.ts';

interface Scope {
  /** Second parts that each first part allows; null allows every one. */
  readonly names: ReadonlyMap<string, readonly string[] | null>;
  /** Steps whose results are there. */
  readonly steps: ReadonlySet<string>;
  /** Why the result of another step is not there. */
  readonly absence: (step: string) => string;
}

type Names = readonly (readonly [string, readonly string[] | null])[];

const documentNames = ['name', 'text', 'part', 'label'];
const runNames = ['name', 'seed'];
const resultNames = [
  'verdict',
  'output',
  'reasons',
  'confidence',
  'attempts',
  'validation',
  'handover',
  'label',
];
/** Of the prompt of a retry. */
const groundingNames: Names = [
  ['facts', null],
  ['results', null],
  ['reasons', null],
];
const pathPattern = /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*$/i;

export function findTemplateProblems(definition: PipelineDefinition): PipelineProblem[] {
  return [
    ...definition.steps.flatMap((step, index) => [
      ...stepTemplates(definition, step, index),
      ...agentTemplates(definition, step),
    ]),
    ...unusedAgents(definition),
    ...toolTemplates(definition),
    ...recoveryTemplates(definition),
  ];
}

/** What a prompt of this step may read. */
function stepScope(definition: PipelineDefinition, step: StepDefinition, extra: Names = []): Scope {
  const mapped = new Set(definition.steps.filter((other) => other.map).map((other) => other.id));
  const before = ancestors(definition.steps, step.id);
  const isMap = step.map !== undefined;
  const steps = new Set([...before].filter((id) => isMap || !mapped.has(id)));
  const own: Names = isMap ? [['document', documentNames]] : [['items', null]];
  return {
    names: new Map([...own, ['run', runNames], ['steps', null], ...extra]),
    steps,
    absence: (id) =>
      before.has(id)
        ? `"${id}" has a result for each document; read it inside {{#items}}`
        : `step "${step.id}" does not need "${id}"; add it to needs`,
  };
}

function eachNames(step: StepDefinition): Names {
  const has = step.each !== undefined || step.reduce !== undefined;
  return has ? [['each', null]] : [];
}

function* stepTemplates(
  definition: PipelineDefinition,
  step: StepDefinition,
  index: number,
): Generator<PipelineProblem> {
  const path = ['steps', index];
  if (step.each !== undefined) {
    yield* pathProblems(definition, [...path, 'each'], step.each, stepScope(definition, step));
  }
  if (step.write !== undefined) {
    const scope = stepScope(definition, step, eachNames(step));
    // What the agent of the step answered is there once the step writes.
    const written = { ...scope, steps: new Set([...scope.steps, step.id]) };
    yield* templateProblems(definition, [...path, 'write', 'path'], step.write.path, written);
    yield* templateProblems(
      definition,
      [...path, 'write', 'template'],
      step.write.template,
      written,
    );
  }
}

function* agentTemplates(
  definition: PipelineDefinition,
  step: StepDefinition,
): Generator<PipelineProblem> {
  if (step.agent === undefined || !Object.hasOwn(definition.agents, step.agent)) return;
  const agent = definition.agents[step.agent];
  const path = ['agents', step.agent];
  const scope = stepScope(definition, step, eachNames(step));
  yield* templateProblems(definition, [...path, 'prompt'], agent?.prompt, scope);
  yield* templateProblems(definition, [...path, 'system'], agent?.system, scope);
  for (const [index, pin] of (agent?.pins ?? []).entries()) {
    const at = [...path, 'pins', index, ...(typeof pin === 'string' ? [] : ['text'])];
    yield* templateProblems(definition, at, typeof pin === 'string' ? pin : pin.text, scope);
  }
  yield* ruleTemplates(definition, step, step.agent);
  yield* templateProblems(
    definition,
    [...path, 'supervise', 'grounding'],
    agent?.supervise.grounding,
    stepScope(definition, step, [...eachNames(step), ...groundingNames]),
  );
  if (agent?.validate === undefined) return;
  for (const member of panelMembers(agent.validate))
    yield* memberTemplates(definition, step, member);
}

/** Who examines the answers of a step reads what its agent reads, and the answer. */
function* memberTemplates(
  definition: PipelineDefinition,
  step: StepDefinition,
  { agent: name, reads }: PanelMember,
): Generator<PipelineProblem> {
  const member = Object.hasOwn(definition.agents, name) ? definition.agents[name] : undefined;
  const extra = ['question', 'answer', ...reads].map((each) => [each, null] as const);
  const scope = stepScope(definition, step, [...eachNames(step), ...extra]);
  const path = ['agents', name];
  yield* templateProblems(definition, [...path, 'prompt'], member?.prompt, scope);
  yield* templateProblems(definition, [...path, 'system'], member?.system, scope);
}

/** What the rules for an agent ask: prompts of repetitions, and critics. */
function* ruleTemplates(
  definition: PipelineDefinition,
  step: StepDefinition,
  name: string,
): Generator<PipelineProblem> {
  for (const [index, rule] of (definition.agents[name]?.supervise.rules ?? []).entries()) {
    const again: Names = [...groundingNames, ['pins', null]];
    const path = ['agents', name, 'supervise', 'rules', index, 'prompt'];
    const scope = stepScope(definition, step, [...eachNames(step), ...again]);
    yield* templateProblems(definition, path, rule.prompt, scope);
    const critic = rule.agent;
    if (critic === undefined || !Object.hasOwn(definition.agents, critic)) continue;
    const asked: Names = [
      ['answer', null],
      ['reasons', null],
      ['question', null],
    ];
    const seen = stepScope(definition, step, [...eachNames(step), ...asked]);
    const { prompt, system } = definition.agents[critic] ?? {};
    yield* templateProblems(definition, ['agents', critic, 'prompt'], prompt, seen);
    yield* templateProblems(definition, ['agents', critic, 'system'], system, seen);
  }
}

/** Nobody renders the templates of an agent without a step, but they should still be templates. */
function* unusedAgents(definition: PipelineDefinition): Generator<PipelineProblem> {
  const used = new Set(
    definition.steps.flatMap(({ agent: name }) => {
      const validate = name === undefined ? undefined : definition.agents[name]?.validate;
      const members = validate === undefined ? [] : panelMembers(validate);
      return [name, ...members.map(({ agent }) => agent)];
    }),
  );
  for (const [name, agent] of Object.entries(definition.agents)) {
    if (used.has(name)) continue;
    for (const [part, text] of [
      ['prompt', agent.prompt],
      ['system', agent.system],
    ] as const) {
      yield* syntaxProblems(['agents', name, part], text).problems;
    }
  }
}

function* toolTemplates(definition: PipelineDefinition): Generator<PipelineProblem> {
  for (const [name, tool] of Object.entries(definition.tools)) {
    const scope: Scope = {
      names: new Map(tool.parameters.map((parameter) => [parameter, null])),
      steps: new Set(),
      absence: () => 'a tool reads only the arguments of its call',
    };
    yield* nestedTemplates(definition, ['tools', name, 'arguments'], tool.arguments, scope);
    const told: Scope = {
      names: new Map([['result', null]]),
      steps: new Set(),
      absence: () => 'the text of a result reads only the result',
    };
    yield* templateProblems(definition, ['tools', name, 'result'], tool.result, told);
  }
}

function* nestedTemplates(
  definition: PipelineDefinition,
  path: PipelinePath,
  value: unknown,
  scope: Scope,
): Generator<PipelineProblem> {
  if (typeof value === 'string') yield* templateProblems(definition, path, value, scope);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const part = Array.isArray(value) ? Number(key) : key;
    yield* nestedTemplates(definition, [...path, part], inner, scope);
  }
}

function* recoveryTemplates(definition: PipelineDefinition): Generator<PipelineProblem> {
  if (definition.recovery === undefined) return;
  const scope: Scope = {
    names: new Map<string, readonly string[] | null>([
      ['document', documentNames],
      ['run', runNames],
      ['step', null],
      ['reasons', null],
    ]),
    steps: new Set(),
    absence: () => 'recovery reads only document, run, step and reasons',
  };
  const { path, template } = definition.recovery.write;
  yield* templateProblems(definition, ['recovery', 'write', 'path'], path, scope);
  yield* templateProblems(definition, ['recovery', 'write', 'template'], template, scope);
}

function* pathProblems(
  definition: PipelineDefinition,
  path: PipelinePath,
  text: string,
  scope: Scope,
): Generator<PipelineProblem> {
  if (!pathPattern.test(text)) {
    yield {
      code: 'PIPELINE_INVALID',
      path,
      message: `"${text}" is not a path such as steps.extract.output.claims`,
    };
    return;
  }
  const reference = { name: text, offset: 0, nested: false };
  const message = referenceFault(definition, reference, scope);
  if (message !== null) yield { code: 'PIPELINE_UNKNOWN_REFERENCE', path, message };
}

function* templateProblems(
  definition: PipelineDefinition,
  path: PipelinePath,
  text: string | undefined,
  scope: Scope,
): Generator<PipelineProblem> {
  const { references, problems } = syntaxProblems(path, text);
  yield* problems;
  for (const reference of references) {
    const message = referenceFault(definition, reference, scope);
    if (message === null) continue;
    yield { code: 'PIPELINE_UNKNOWN_REFERENCE', path, message, offset: reference.offset };
  }
}

function syntaxProblems(
  path: PipelinePath,
  text: string | undefined,
): { references: TemplateReference[]; problems: PipelineProblem[] } {
  if (text === undefined) return { references: [], problems: [] };
  try {
    return { references: templateReferences(text), problems: [] };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    const message = `the template is wrong: ${error.details.problem}`;
    const offset = Number(error.details.offset);
    return { references: [], problems: [{ code: 'PIPELINE_INVALID', path, message, offset }] };
  }
}

/** Why a template cannot read this name, or null when it can. */
function referenceFault(
  definition: PipelineDefinition,
  reference: TemplateReference,
  scope: Scope,
): string | null {
  const [head, second, third] = reference.name.split('.') as [string, string?, string?];
  if (head === 'steps' && second !== undefined && (scope.names.has(head) || reference.nested)) {
    const exists = definition.steps.some((step) => step.id === second);
    if (!exists) return `there is no step "${second}" to read`;
    if (!reference.nested && !scope.steps.has(second)) return scope.absence(second);
    return third === undefined || resultNames.includes(third)
      ? null
      : `the result of a step has no "${third}"; it has ${resultNames.join(', ')}`;
  }
  if (reference.nested) return null;
  const parts = scope.names.get(head);
  if (parts === undefined) {
    return `there is no variable "${head}" here; there are ${[...scope.names.keys()].join(', ')}`;
  }
  if (parts === null || second === undefined || parts.includes(second)) return null;
  return `"${head}" has no "${second}"; it has ${parts.join(', ')}`;
}
