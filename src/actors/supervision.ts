/**
 * What a supervisor decides, as pure functions of its context and one event:
 * another attempt, another agent, or a human.
 */
import { assert } from '../kernel/assert.ts';
import type { ErrorMessage } from '../kernel/errors.ts';
import { type ActorId, childActorId } from '../kernel/ids.ts';
import { act } from './act.ts';
import { agentOf, definitionOf, stepOf, templateScope } from './definition.ts';
import { relevantResults } from './detectors/run-knowledge.ts';
import type {
  AgentDoubtEvent,
  AgentProgress,
  Critique,
  RetryEvent,
  StepVariables,
  TimedEvent,
} from './event.ts';
import { relevantFacts } from './facts.ts';
import type { Intention } from './intention.ts';
import type { UsedRules } from './intervention.ts';
import type { StepResult } from './step-result.ts';
import { failureLabel, readableByAgent, startedWith, writtenLabel } from './supervised-reading.ts';
import { renderTemplate } from './template.ts';

interface Child {
  readonly agent: ActorId;
  readonly variables: StepVariables;
  /** Technical failures so far. */
  readonly failures: number;
  /** The result that waits until the recovery file is written. */
  readonly escalated: StepResult | null;
  /** How far the failed agent had come, where it has turns. */
  readonly progress?: AgentProgress;
  /** Tag of the supervisor's own open intention for this step. */
  readonly open: string | null;
  /** How often rules were used; only once one was. */
  readonly used?: UsedRules;
  /** Critics so far; only once there was one. */
  readonly critics?: number;
  /** The doubt that a person or a critic decides about; the agent waits meanwhile. */
  readonly waiting?: {
    readonly doubt: AgentDoubtEvent;
    readonly rule: number;
    /** Whether it is a person. */
    readonly paused: boolean;
  };
  /** Highest label of what others have said about its doubts; only where there are labels. */
  readonly heard?: string;
  /** Of a critic, which is a child beside the one that it decides about. */
  readonly critic?: Critique;
}

export interface SupervisorContext {
  readonly self: ActorId;
  readonly parent: ActorId;
  readonly definition: string;
  readonly seed: number;
  readonly children: Readonly<Record<string, Child>>;
}

export type SupervisorArguments = { context: SupervisorContext; event: TimedEvent };

export function childOf(context: SupervisorContext, step: string): Child {
  const child = context.children[step];
  assert(child !== undefined, `the supervisor knows the step ${step}`);
  return child;
}

export function withChild(
  context: SupervisorContext,
  step: string,
  change: Partial<Child>,
): Partial<SupervisorContext> {
  return { children: { ...context.children, [step]: { ...childOf(context, step), ...change } } };
}

export function withoutChild(context: SupervisorContext, step: string): Partial<SupervisorContext> {
  const { [step]: _gone, ...children } = context.children;
  return { children };
}

function agentName(context: SupervisorContext, step: string, failures: number): ActorId {
  return childActorId(context.self, failures === 0 ? step : `${step}.${failures + 1}`);
}

export function spawnAgent(context: SupervisorContext, step: string): Intention {
  const child = childOf(context, step);
  return {
    kind: 'spawn',
    to: child.agent,
    machine: 'agent',
    event: {
      type: 'start',
      machine: 'agent',
      self: child.agent,
      parent: context.self,
      definition: context.definition,
      seed: context.seed,
      step,
      ...startedWith(context.definition, step, child),
      ...(child.progress === undefined ? {} : { progress: child.progress }),
    },
  };
}

export function agentDefinition(context: SupervisorContext, step: string) {
  const definition = definitionOf(context.definition);
  const agent = agentOf(definition, stepOf(definition, step));
  assert(agent !== null, 'only an agent that asks can be doubtful');
  return agent;
}

export function mayRetry({ context, event }: SupervisorArguments): boolean {
  return (
    event.type === 'agent-doubt' &&
    event.attempt < agentDefinition(context, event.step).supervise.retries
  );
}

/** @param instead A prompt in place of `supervise.grounding`, and what it may read besides. */
export function groundingFor(
  context: SupervisorContext,
  event: AgentDoubtEvent,
  instead: { readonly prompt?: string | undefined; readonly pins?: readonly string[] } = {},
): string | null {
  const { prompt, ...more } = instead;
  const grounding = prompt ?? agentDefinition(context, event.step).supervise.grounding;
  if (grounding === undefined) return null;
  const whole = childOf(context, event.step).variables;
  // Filtered before it is searched (law D7).
  const variables = readableByAgent(context.definition, event.step, whole);
  const scope = templateScope(variables, event.each);
  return renderTemplate(grounding, {
    ...scope,
    ...more,
    facts: relevantFacts(variables.document?.text ?? '', event.question),
    results: relevantResults(scope.steps, event.question),
    reasons: event.reasons,
  });
}

/** The attempt after the doubted one, at the next temperature and with a seed of its own. */
export function retryEvent(
  context: SupervisorContext,
  event: AgentDoubtEvent,
  grounding: string | null,
): RetryEvent {
  const { supervise, temperature } = agentDefinition(context, event.step);
  const attempt = event.attempt + 1;
  const temperatures = supervise.temperatures;
  const { heard } = childOf(context, event.step);
  return {
    type: 'retry',
    attempt,
    temperature: temperatures[Math.min(attempt, temperatures.length) - 1] ?? temperature,
    // Seeds are unsigned 32-bit numbers.
    seed: (context.seed + attempt) >>> 0,
    grounding,
    ...(heard === undefined ? {} : { label: heard }),
  };
}

export function retry({ context, event }: SupervisorArguments): readonly Intention[] {
  assert(event.type === 'agent-doubt', 'a doubt is answered');
  const again = retryEvent(context, event, groundingFor(context, event));
  return [{ kind: 'send', to: childOf(context, event.step).agent, event: again }];
}

export function settle({ context, event }: SupervisorArguments): readonly Intention[] {
  assert(event.type === 'agent-doubt', 'a doubt is answered');
  return [{ kind: 'send', to: childOf(context, event.step).agent, event: { type: 'settle' } }];
}

export function mayRestart({ context, event }: SupervisorArguments): boolean {
  if (event.type !== 'agent-failed' || event.error.retryable !== true) return false;
  const { maxAttempts } = stepOf(definitionOf(context.definition), event.step).retry;
  return childOf(context, event.step).failures + 1 < maxAttempts;
}

const backoffPrefix = 'backoff:';
const recoveryPrefix = 'recovery:';
const pausePrefix = 'pause:';
const criticPrefix = 'critic:';

/** Tag of the intention by which a step waits for a person. */
export function pauseTag(step: string): string {
  return `${pausePrefix}${step}`;
}

/** The step whose pause has an outcome. */
export function pausedStep(event: TimedEvent): string | null {
  return tagStep(event, pausePrefix);
}

/** What the critic of a step is known by; no step has a colon in its name. */
export function criticKey(step: string): string {
  return `${criticPrefix}${step}`;
}

/** The step that a critic decides about; null of any other child. */
export function criticOf(key: string): string | null {
  return key.startsWith(criticPrefix) ? key.slice(criticPrefix.length) : null;
}

export function backoff({ context, event }: SupervisorArguments): readonly Intention[] {
  assert(event.type === 'agent-failed', 'a failure is retried');
  const policy = stepOf(definitionOf(context.definition), event.step).retry;
  const { failures } = childOf(context, event.step);
  const { retryAfterMs = 0 } = event.error;
  const delayMs = Math.max(policy.backoffMs * policy.factor ** (failures - 1), retryAfterMs);
  return [
    act(
      `${backoffPrefix}${event.step}`,
      { actuator: 'clock', operation: 'wake' },
      { at: event.at + Math.round(delayMs) },
    ),
  ];
}

function failedResult(error: ErrorMessage, failures: number): StepResult {
  return {
    verdict: 'escalated',
    output: null,
    reasons: [error.message],
    confidence: null,
    attempts: failures,
    error: { code: error.code, message: error.message },
  };
}

/** The result that an agent's last event means for its step. */
function finalResult({ context, event }: SupervisorArguments): StepResult {
  if (event.type === 'agent-done') return event.result;
  assert(event.type === 'agent-failed', 'an agent ended');
  const child = childOf(context, event.step);
  return {
    ...failedResult(event.error, child.failures + 1),
    ...failureLabel(context.definition, event.step, child, event),
  };
}

export function needsRecovery(arguments_: SupervisorArguments): boolean {
  const { context, event } = arguments_;
  if (event.type !== 'agent-done' && event.type !== 'agent-failed') return false;
  return (
    definitionOf(context.definition).recovery !== undefined &&
    childOf(context, event.step).variables.document !== null &&
    finalResult(arguments_).verdict === 'escalated'
  );
}

/** The recovery step: the document goes to a human, with the reasons. */
export function recover({ context, event }: SupervisorArguments): readonly Intention[] {
  assert(event.type === 'agent-done' || event.type === 'agent-failed', 'an agent ended');
  const { recovery } = definitionOf(context.definition);
  const child = childOf(context, event.step);
  assert(recovery !== undefined && child.escalated !== null, 'there is something to recover');
  const scope = {
    ...templateScope(child.variables, null),
    step: event.step,
    reasons: child.escalated.reasons,
  };
  const { path, template } = recovery.write;
  const { variables, escalated } = child;
  return [
    act(
      `${recoveryPrefix}${event.step}`,
      { actuator: 'file', operation: 'write' },
      {
        path: renderTemplate(path, scope),
        text: renderTemplate(template, scope),
        ...writtenLabel(context.definition, [path, template], variables, escalated.label),
      },
    ),
  ];
}

function stepDone(
  context: SupervisorContext,
  step: string,
  result: StepResult,
): readonly Intention[] {
  return [{ kind: 'send', to: context.parent, event: { type: 'step-done', step, result } }];
}

function tagStep(event: TimedEvent, prefix: string): string | null {
  return event.type === 'outcome' && event.tag.startsWith(prefix)
    ? event.tag.slice(prefix.length)
    : null;
}

export function endRecovery({ context, event }: SupervisorArguments): readonly Intention[] {
  const step = tagStep(event, recoveryPrefix);
  assert(step !== null && event.type === 'outcome', 'a recovery ended');
  const { escalated } = childOf(context, step);
  assert(escalated !== null, 'an escalated result waits');
  const { outcome } = event;
  if (outcome.status === 'completed') return stepDone(context, step, escalated);
  const reason = `The file for a human could not be written: ${outcome.error.message}`;
  return stepDone(context, step, { ...escalated, reasons: [...escalated.reasons, reason] });
}

export function cancelChildren({ context }: SupervisorArguments): readonly Intention[] {
  return Object.entries(context.children).flatMap(([step, child]): Intention[] => {
    if (child.open !== null) return [{ kind: 'abort', tag: child.open }];
    const cancel: Intention = { kind: 'send', to: child.agent, event: { type: 'cancel' } };
    // The agent waits beside the person, whom nobody waits for any more.
    return child.waiting?.paused === true
      ? [cancel, { kind: 'abort', tag: pauseTag(step) }]
      : [cancel];
  });
}

function endedStep(event: TimedEvent): string | null {
  switch (event.type) {
    case 'agent-cancelled':
    case 'agent-done':
    case 'agent-failed':
      return event.step;
    case 'outcome':
      return tagStep(event, backoffPrefix) ?? tagStep(event, recoveryPrefix);
    default:
      return null;
  }
}

/** While stopping: whatever ends a child removes it; nothing is started again. */
export function removeEnded({ context, event }: SupervisorArguments): Partial<SupervisorContext> {
  const step = endedStep(event);
  return step === null || context.children[step] === undefined ? {} : withoutChild(context, step);
}

/** The step whose pause before a restart has passed. */
export function backoffStep(event: TimedEvent): string | null {
  return tagStep(event, backoffPrefix);
}

/** The step whose recovery file has an outcome. */
export function recoveryStep(event: TimedEvent): string | null {
  return tagStep(event, recoveryPrefix);
}

export function waitForBackoff({
  context,
  event,
}: SupervisorArguments): Partial<SupervisorContext> {
  assert(event.type === 'agent-failed', 'a failure is retried');
  const failures = childOf(context, event.step).failures + 1;
  const { progress } = event;
  return withChild(context, event.step, {
    failures,
    open: `${backoffPrefix}${event.step}`,
    ...(progress === undefined ? {} : { progress }),
  });
}

export function waitForRecovery({
  context,
  event,
}: SupervisorArguments): Partial<SupervisorContext> {
  assert(event.type === 'agent-done' || event.type === 'agent-failed', 'an agent ended');
  return withChild(context, event.step, {
    escalated: finalResult({ context, event }),
    open: `${recoveryPrefix}${event.step}`,
  });
}

export function addChild({ context, event }: SupervisorArguments): Partial<SupervisorContext> {
  assert(event.type === 'run-step', 'a step is asked for');
  const child: Child = {
    agent: agentName(context, event.step, 0),
    variables: event.variables,
    failures: 0,
    escalated: null,
    open: null,
  };
  return { children: { ...context.children, [event.step]: child } };
}

export function replaceAgent({ context, event }: SupervisorArguments): Partial<SupervisorContext> {
  const step = backoffStep(event);
  assert(step !== null, 'a pause has passed');
  const agent = agentName(context, step, childOf(context, step).failures);
  return withChild(context, step, { agent, open: null });
}

/** Starts the agent of the step that the event speaks of. */
export function startAgent({ context, event }: SupervisorArguments): readonly Intention[] {
  const step = event.type === 'run-step' ? event.step : backoffStep(event);
  assert(step !== null, 'the event names a step');
  return [spawnAgent(context, step)];
}

export function reportEnd({ context, event }: SupervisorArguments): readonly Intention[] {
  assert(event.type === 'agent-done' || event.type === 'agent-failed', 'an agent ended');
  return stepDone(context, event.step, finalResult({ context, event }));
}
