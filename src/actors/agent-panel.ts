/**
 * How an agent has its answers examined: it starts a panel for an answer that its
 * own checks do not doubt, and what the panel finds becomes part of the
 * judgement. An objection is a doubt like any other.
 */
import { assert } from '../kernel/assert.ts';
import type { ErrorMessage } from '../kernel/errors.ts';
import { type ActorId, childActorId } from '../kernel/ids.ts';
import {
  type AgentArguments,
  type AgentContext,
  currentElement,
  requireAgent,
} from './agent-context.ts';
import { heard, labelOf } from './agent-label.ts';
import { messagesOf, openingOf, questionOf } from './agent-opening.ts';
import { isDoubted, judgementOf } from './agent-work.ts';
import type { TimedEvent } from './event.ts';
import type { Intention } from './intention.ts';
import { afterAnother } from './validation.ts';

/** Who doubts an answer that a panel objects to. */
export const panelSource = 'validate';

/** A doubted answer is not examined: it goes to the supervisor, or a human, as it is. */
export function needsPanel(context: AgentContext): boolean {
  const { agent } = requireAgent(context);
  if (agent.validate === undefined || isDoubted(context)) return false;
  const { answered, examined } = judgementOf(context);
  return answered && examined !== true;
}

/** Its own for each answer: a panel ends with its finding. */
function panelOf(context: AgentContext): ActorId {
  const element = context.answers.length + 1;
  const number = (context.validation?.panels ?? 0) + 1;
  return childActorId(context.self, `panel-${element}-${number}`);
}

export function callPanel(context: AgentContext): Intention {
  const to = panelOf(context);
  const { self: parent, definition, step, variables, attemptSeed: seed } = context;
  return {
    kind: 'spawn',
    to,
    machine: 'panel',
    event: {
      type: 'start',
      machine: 'panel',
      self: to,
      parent,
      definition,
      seed,
      step,
      variables,
      each: currentElement(context),
      question: questionOf(context),
      asked: messagesOf(openingOf(context, context.grounding ?? undefined)),
      answer: judgementOf(context).output,
      ...labelOf(context),
    },
  };
}

export function cancelPanel(context: AgentContext): Intention {
  return { kind: 'send', to: panelOf(context), event: { type: 'cancel' } };
}

export function takeFindings({ context, event }: AgentArguments): Partial<AgentContext> {
  assert(event.type === 'panel-done', 'a panel is done');
  const { output, reasons, validation } = event;
  const retry = reasons.length > 0;
  const judgement = judgementOf(context);
  const objections = reasons.map((evidence) => ({ source: panelSource, evidence }));
  // Rules ask who doubts an answer; an agent without any keeps no findings.
  const { findings } = judgement;
  const watched =
    findings === undefined ? {} : { findings: [...findings, ...objections], again: retry };
  return {
    judgement: { ...judgement, output, reasons, retry, examined: true, ...watched },
    validation: afterAnother(context.validation, validation),
    ...heard(context, event.label),
  };
}

/** The failure that an event tells of: of the agent's own intention, of its panel's, or of its clearance. */
export function failureOf(event: TimedEvent): ErrorMessage {
  if (event.type === 'start' && event.machine === 'agent' && event.reading?.refusal !== undefined) {
    return event.reading.refusal;
  }
  if (event.type === 'panel-failed') return event.error;
  assert(event.type === 'outcome' && event.outcome.status !== 'completed', 'a failed outcome');
  return event.outcome.error;
}
