/** What the rules for a supervisor must obey beyond their schema. Pure. */
import { panelSource } from '../actors/agent-panel.ts';
import { citationSource } from '../actors/agent-work.ts';
import { runDetectors } from '../actors/detectors/finding.ts';
import { formatSource } from '../actors/judge.ts';
import type { AgentDefinition, PipelineDefinition } from '../actors/pipeline-definition.ts';
import type { Deed, SuperviseRule } from '../actors/supervise-rule.ts';
import { detectorNames } from '../inference/model-port.ts';
import {
  invalid,
  type PipelinePath,
  type PipelineProblem,
  unknownName,
} from './pipeline-problem.ts';

/** What the rules of an agent name has to be there. */
export function* ruleProblems(
  { agents }: PipelineDefinition,
  name: string,
): Generator<PipelineProblem> {
  const agent = agents[name];
  if (agent === undefined) return;
  for (const [index, rule] of (agent.supervise.rules ?? []).entries()) {
    const path = ['agents', name, 'supervise', 'rules', index];
    yield* doubtProblems(agent, rule, [...path, 'when']);
    yield* deedProblems(agent, rule, path);
    if (rule.do === 'critic') yield* criticProblems(agents, name, rule.agent, path);
  }
}

function* doubtProblems(
  { supervise, checks }: AgentDefinition,
  { when }: SuperviseRule,
  path: PipelinePath,
): Generator<PipelineProblem> {
  const setting = isRunDetector(when) ? runDetectors[when] : null;
  if (setting !== null && (supervise[setting] ?? false) === false) {
    yield invalid(path, `set supervise.${setting}, or nobody looks for it`);
  }
  const known = [...Object.keys(runDetectors), ...otherDoubts, ...checks.map(({ use }) => use)];
  if (!known.includes(when)) yield unknownName(path, 'detector or check', when, known);
}

function* deedProblems(
  { supervise }: AgentDefinition,
  rule: SuperviseRule,
  path: PipelinePath,
): Generator<PipelineProblem> {
  if (rule.do === 'switch-model' && rule.model === undefined) {
    yield invalid(path, 'switch-model needs the model to ask next');
  }
  if (rule.do === 'ground' && rule.prompt === undefined && supervise.grounding === undefined) {
    yield invalid(path, 'ground needs a prompt, or supervise.grounding');
  }
  for (const [setting, users] of ruleSettings) {
    if (rule[setting] === undefined || users.includes(rule.do)) continue;
    yield invalid([...path, setting], `${setting} is nothing that ${rule.do} uses`);
  }
}

/** Who doubts an answer besides checks and the detectors of a run. */
const otherDoubts = ['any', formatSource, panelSource, citationSource, ...detectorNames];

const asking: readonly Deed[] = ['resample', 'ground', 'switch-model'];
type RuleSetting = 'temperature' | 'seed' | 'model' | 'prompt' | 'agent';
/** Settings of a rule, and what uses them. */
const ruleSettings: readonly (readonly [RuleSetting, readonly Deed[]])[] = [
  ['temperature', asking],
  ['seed', asking],
  ['model', ['switch-model']],
  ['prompt', ['ground']],
  ['agent', ['critic']],
];

function isRunDetector(name: string): name is keyof typeof runDetectors {
  return Object.hasOwn(runDetectors, name);
}

function* criticProblems(
  agents: PipelineDefinition['agents'],
  name: string,
  critic: string | undefined,
  path: PipelinePath,
): Generator<PipelineProblem> {
  const names = Object.keys(agents).filter((each) => each !== name);
  if (critic === undefined || !names.includes(critic)) {
    yield critic === undefined
      ? invalid(path, 'critic needs the agent that decides')
      : unknownName([...path, 'agent'], 'other agent', critic, names);
    return;
  }
  const properties = agents[critic]?.output?.properties;
  const decides =
    typeof properties === 'object' && properties !== null && Object.hasOwn(properties, 'accept');
  if (!decides) {
    yield invalid(
      [...path, 'agent'],
      `the output of "${critic}" needs a property accept, true or false`,
    );
  }
}
