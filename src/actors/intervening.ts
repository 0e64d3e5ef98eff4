/**
 * How a supervisor follows the rules of an agent: one decision about one doubt,
 * as intentions and as what it keeps. Pure functions of its context.
 *
 * Invariants
 *   N1. What is decided is one message to the agent: another attempt, the end,
 *       or to wait; each carries its evidence.
 *   N2. While somebody else decides, the doubt is kept, and decided once.
 *   N3. Where no rule is left it is decided as without rules.
 */
import { assert } from '../kernel/assert.ts';
import { childActorId } from '../kernel/ids.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { act } from './act.ts';
import { objectivesOf } from './agent-watch.ts';
import { templateScope } from './definition.ts';
import type { Finding } from './detectors/finding.ts';
import type { ActorEvent, AgentDoubtEvent, WatchedDoubt } from './event.ts';
import type { Intention } from './intention.ts';
import { type ChosenRule, chooseRule, type Decision, type Intervention } from './intervention.ts';
import { higherLabel, noteRefusal, readableByAgent } from './supervised-reading.ts';
import {
  agentDefinition,
  childOf,
  criticKey,
  criticOf,
  groundingFor,
  pausedStep,
  pauseTag,
  retryEvent,
  type SupervisorArguments,
  type SupervisorContext,
  spawnAgent,
  withChild,
  withoutChild,
} from './supervision.ts';

/** What is sent, and what the supervisor keeps. */
interface Decided {
  readonly intentions: readonly Intention[];
  readonly change: Partial<SupervisorContext>;
}

/** What whoever was asked has said about the doubt. */
interface Word {
  readonly rule: number;
  readonly do: Intervention['do'];
  readonly decision: Decision;
  readonly findings: readonly Finding[];
}

function watchedOf(doubt: AgentDoubtEvent): WatchedDoubt {
  assert(doubt.watched !== undefined, 'a doubt that rules are applied to says who has it');
  return doubt.watched;
}

function toAgent(context: SupervisorContext, step: string, event: ActorEvent): Intention {
  return { kind: 'send', to: childOf(context, step).agent, event };
}

export function hasRules({ context, event }: SupervisorArguments): boolean {
  if (event.type !== 'agent-doubt' || event.watched === undefined) return false;
  return agentDefinition(context, event.step).supervise.rules !== undefined;
}

function recordOf(doubt: AgentDoubtEvent, { rule, index, findings }: ChosenRule): Intervention {
  return { rule: index, when: rule.when, do: rule.do, attempt: doubt.attempt, findings };
}

function wordRecord(context: SupervisorContext, doubt: AgentDoubtEvent, word: Word): Intervention {
  const { rules = [] } = agentDefinition(context, doubt.step).supervise;
  // A fork may have other rules by now.
  const when = rules[word.rule]?.when ?? 'any';
  const { rule, decision: decided, findings } = word;
  return { rule, when, do: word.do, attempt: doubt.attempt, findings, decided };
}

/** Nobody is waited for any more. */
function notWaiting(context: SupervisorContext, step: string): SupervisorContext {
  const { waiting: _decided, ...child } = childOf(context, step);
  return { ...context, children: { ...context.children, [step]: child } };
}

/** Decides about a doubt; after the word of somebody who was asked, by the rules behind that one. */
function decide(context: SupervisorContext, doubt: AgentDoubtEvent, word?: Word): Decided {
  const { step } = doubt;
  const watched = watchedOf(doubt);
  const { used = {} } = childOf(context, step);
  const { rules = [] } = agentDefinition(context, step).supervise;
  const chosen = chooseRule(rules, watched, { used, after: word?.rule ?? -1 });
  if (chosen === null) return { intentions: [asBefore(context, doubt, word)], change: {} }; // (N3)
  const times = (used[chosen.index] ?? 0) + 1;
  const counted = withChild(context, step, { used: { ...used, [chosen.index]: times } });
  const findings = [...chosen.findings, ...(word?.findings ?? [])];
  return carryOut({ ...context, ...counted }, doubt, { ...chosen, findings });
}

function asBefore(
  context: SupervisorContext,
  doubt: AgentDoubtEvent,
  word: Word | undefined,
): Intention {
  const { retries } = agentDefinition(context, doubt.step).supervise;
  const intervention = word === undefined ? {} : { intervention: wordRecord(context, doubt, word) };
  const mayRetry = watchedOf(doubt).again && doubt.attempt < retries;
  const event: ActorEvent = mayRetry
    ? { ...retryEvent(context, doubt, groundingFor(context, doubt)), ...intervention }
    : { type: 'settle', ...intervention };
  return toAgent(context, doubt.step, event);
}

function carryOut(context: SupervisorContext, doubt: AgentDoubtEvent, chosen: ChosenRule): Decided {
  const { rule, index } = chosen;
  const { step } = doubt;
  const { children } = context;
  const intervention = recordOf(doubt, chosen);
  const tell = (event: ActorEvent): Intention => toAgent(context, step, event);
  const again = (grounding: string | null): Decided => ({
    intentions: [tell(ruledRetry(context, doubt, intervention, grounding))],
    change: { children },
  });
  switch (rule.do) {
    case 'resample':
    case 'switch-model':
      return again(null);
    case 'ground':
      return again(groundingOf(context, doubt, rule.prompt));
    case 'human':
      return { intentions: [tell(handOver(intervention))], change: { children } };
    case 'stop':
      return { intentions: stopRun(context, doubt, intervention), change: { children } };
    case 'pause': {
      const waiting = { doubt, rule: index, paused: true };
      const { attempt, label } = doubt;
      const labelled = label === undefined ? {} : { label };
      const question = { step, attempt, findings: intervention.findings, ...labelled };
      return {
        intentions: [tell({ type: 'hold', intervention }), askHuman(question)],
        change: withChild(context, step, { waiting }),
      };
    }
    case 'critic':
      return askCritic(context, doubt, { intervention, agent: rule.agent ?? '', rule: index });
  }
}

function ruledRetry(
  context: SupervisorContext,
  doubt: AgentDoubtEvent,
  intervention: Intervention,
  grounding: string | null,
): ActorEvent {
  const rule = agentDefinition(context, doubt.step).supervise.rules?.[intervention.rule];
  const { temperature, seed, model } = rule ?? {};
  return {
    ...retryEvent(context, doubt, grounding),
    ...(temperature === undefined ? {} : { temperature }),
    ...(seed === undefined ? {} : { seed }),
    ...(model === undefined ? {} : { model }),
    intervention,
  };
}

function groundingOf(
  context: SupervisorContext,
  doubt: AgentDoubtEvent,
  prompt: string | undefined,
): string | null {
  const { variables } = childOf(context, doubt.step);
  const readable = readableByAgent(context.definition, doubt.step, variables);
  const scope = templateScope(readable, doubt.each);
  const pins = objectivesOf(agentDefinition(context, doubt.step), scope).map(({ text }) => text);
  return groundingFor(context, doubt, { prompt, pins });
}

function handOver(intervention: Intervention): ActorEvent {
  return { type: 'settle', handOver: true, intervention };
}

function stopRun(
  context: SupervisorContext,
  doubt: AgentDoubtEvent,
  intervention: Intervention,
): readonly Intention[] {
  const why = [...doubt.reasons, ...intervention.findings.map(({ evidence }) => evidence)];
  const message = `The supervisor stopped the run at the step ${doubt.step}: ${[...new Set(why)].join(' ')}`;
  return [
    toAgent(context, doubt.step, { type: 'hold', intervention }),
    {
      kind: 'send',
      to: context.parent,
      event: { type: 'stop-run', error: { code: 'RUN_STOPPED', message } },
    },
  ];
}

function askHuman(
  question: { readonly step: string; readonly label?: string } & Pick<
    Intervention,
    'attempt' | 'findings'
  >,
) {
  const { step, attempt, label } = question;
  const findings = question.findings.map((finding) => ({ ...finding }));
  const target = { actuator: 'human', operation: 'decide' };
  const labelled = label === undefined ? {} : { label };
  return act(pauseTag(step), target, { step, attempt, findings, ...labelled });
}

function askCritic(
  context: SupervisorContext,
  doubt: AgentDoubtEvent,
  { intervention, agent, rule }: { intervention: Intervention; agent: string; rule: number },
): Decided {
  const { step, each, question, reasons, label } = doubt;
  const { answer } = watchedOf(doubt);
  const child = childOf(context, step);
  const critics = (child.critics ?? 0) + 1;
  const key = criticKey(step);
  const critic = {
    agent: childActorId(context.self, `${step}.critic-${critics}`),
    variables: child.variables,
    failures: 0,
    escalated: null,
    open: null,
    critic: {
      ...{ agent, of: step, each, question, answer, reasons },
      ...(label === undefined ? {} : { label }),
    },
  };
  const held = withChild(context, step, { waiting: { doubt, rule, paused: false }, critics });
  const children = { ...held.children, [key]: critic };
  return {
    intentions: [
      toAgent(context, step, { type: 'hold', intervention }),
      spawnAgent({ ...context, children }, key),
    ],
    change: { children },
  };
}

/** Takes the word of a person or a critic about the doubt that waits for it (N2). */
function hear(context: SupervisorContext, step: string, given: Given): Decided {
  const { waiting } = childOf(context, step);
  assert(waiting !== undefined, 'a doubt waits');
  const { doubt, rule, paused } = waiting;
  const { decision, findings } = given;
  const word: Word = { rule, do: paused ? 'pause' : 'critic', decision, findings };
  const next = hearing(notWaiting(context, step), step, given.label);
  const { children } = next;
  const intervention = wordRecord(next, doubt, word);
  const told = (event: ActorEvent): Decided => ({
    intentions: [toAgent(next, step, event)],
    change: { children },
  });
  switch (decision) {
    case 'accept':
      return told({ type: 'accept', intervention });
    case 'hand-over':
      return told(handOver(intervention));
    case 'retry':
      return told({ ...retryEvent(next, doubt, given.prompt), intervention });
    case 'stop':
      return { intentions: stopRun(next, doubt, intervention), change: { children } };
    case 'reject':
    case 'none': {
      const reasons = [...doubt.reasons, ...findings.map(({ evidence }) => evidence)];
      const decided = decide(next, { ...doubt, reasons }, word);
      return { ...decided, change: { children, ...decided.change } };
    }
  }
}

/** The supervisor, once something with the label was said about the doubts of a step. */
function hearing(
  context: SupervisorContext,
  step: string,
  label: string | undefined,
): SupervisorContext {
  const heard = higherLabel(context.definition, childOf(context, step).heard, label);
  return heard === undefined ? context : { ...context, ...withChild(context, step, { heard }) };
}

interface Given {
  /** Of what was said; only where the pipeline has labels. */
  readonly label?: string | undefined;
  readonly decision: Decision;
  readonly findings: readonly Finding[];
  /** Prompt of another attempt; null asks the same again. */
  readonly prompt: string | null;
}

function none(source: string, evidence: string): Given {
  return { decision: 'none', findings: [{ source, evidence }], prompt: null };
}

function givenByHuman({ context, event }: SupervisorArguments, step: string): Given {
  assert(event.type === 'outcome', 'a person has decided');
  if (event.outcome.status !== 'completed') return none('pause', event.outcome.error.message);
  // As human.decide declares its result.
  const value = event.outcome.value as { decision: Decision; prompt?: string; label?: string };
  const { label } = value;
  const refusal = noteRefusal(context.definition, agentDefinition(context, step), label);
  if (refusal !== null) return none('human', refusal);
  const reason = event.by?.reason ?? null;
  const findings = reason === null ? [] : [{ source: 'human', evidence: reason }];
  return { decision: value.decision, findings, prompt: value.prompt ?? null, label };
}

function givenByCritic({ context, event }: SupervisorArguments): Given {
  assert(event.type === 'agent-done' || event.type === 'agent-failed', 'a critic ended');
  const source = childOf(context, event.step).critic?.agent ?? 'critic';
  if (event.type === 'agent-failed') return none(source, event.error.message);
  const { output, reasons, label } = event.result;
  const answer: JsonObject = isJsonObject(output) ? output : {};
  if (typeof answer.accept !== 'boolean') {
    return { ...none(source, `The critic did not decide. ${reasons.join(' ')}`.trim()), label };
  }
  const reason = typeof answer.reason === 'string' ? answer.reason.trim() : '';
  const said = reason === '' ? [] : [{ source, evidence: reason }];
  return { decision: answer.accept ? 'accept' : 'reject', findings: said, prompt: null, label };
}

/** Whether the event is the end of a critic, or of a pause. */
export function isWord({ context, event }: SupervisorArguments): boolean {
  const step = wordStep(event);
  return step !== null && context.children[step]?.waiting !== undefined;
}

function wordStep(event: SupervisorArguments['event']): string | null {
  if (event.type === 'outcome') return pausedStep(event);
  if (event.type === 'agent-done' || event.type === 'agent-failed') return criticOf(event.step);
  return null;
}

function decision({ context, event }: SupervisorArguments): Decided {
  if (event.type === 'agent-doubt') return decide(context, event);
  const step = wordStep(event);
  assert(step !== null, 'somebody has decided');
  if (event.type === 'outcome') return hear(context, step, givenByHuman({ context, event }, step));
  const without = { ...context, ...withoutChild(context, criticKey(step)) };
  return hear(without, step, givenByCritic({ context, event }));
}

export function intervene(arguments_: SupervisorArguments): readonly Intention[] {
  return decision(arguments_).intentions;
}

/** What the supervisor keeps of the same decision; to be taken behind `intervene`. */
export function intervened(arguments_: SupervisorArguments): Partial<SupervisorContext> {
  return decision(arguments_).change;
}
