/**
 * An agent does one step: it asks the model, judges the answer, calls a tool
 * if the answer says so, and writes the step's file. With `turns` it reads what
 * the call came to and goes on (conversation.ts). A doubtful answer waits for
 * its supervisor, who alone decides about another attempt, or takes it as it is.
 * With `validate` a panel (panel.ts) examines what the agent's own checks do not doubt.
 *
 * Invariants
 *   A1. At most one external intention is open at a time, and none beside a panel.
 *   A2. An answer leaves the agent only judged: accepted, or with its doubts.
 *   A3. A definition that is amended while a question is open asks it again, if
 *       it is another one then.
 *   A4. After a cancel nothing new is asked; the open intention is aborted and
 *       its outcome awaited.
 *   A5. An agent that its clearance refuses what it would read asks nothing and fails.
 */
import { assign, setup } from 'xstate';
import { assert } from '../kernel/assert.ts';
import type { ActorId } from '../kernel/ids.ts';
import type { JsonObject } from '../kernel/json.ts';
import { asksAnother, beforeAsking } from './agent-amendment.ts';
import {
  type AgentArguments,
  type AgentContext,
  hasMoreElements,
  planOf,
} from './agent-context.ts';
import { amended, heard, isRefused, labelOf } from './agent-label.ts';
import { callPanel, cancelPanel, failureOf, needsPanel, takeFindings } from './agent-panel.ts';
import {
  endElement,
  mayCall,
  mayTellRefusal,
  progressOf,
  started,
  takeAsked,
  tellOutcome,
  tellRefusal,
} from './agent-turns.ts';
import {
  doubt,
  generate,
  generateTag,
  isDoubtful,
  judgementOf,
  judgeOutcome,
  nextElement,
  settled,
  stepResult,
  takeToolOutcome,
  toolCall,
  undoubted,
  write,
  writeTag,
} from './agent-work.ts';
import type { StepVariables, TimedEvent } from './event.ts';
import { intend, intendAction } from './intend.ts';
import { toolTag } from './tool-call.ts';

function isFor(tag: string, statuses: 'completed' | 'any') {
  return ({ event }: AgentArguments) =>
    event.type === 'outcome' &&
    event.tag === tag &&
    (statuses === 'any' || event.outcome.status === 'completed');
}

function amendedBy({ context, event }: AgentArguments): Partial<AgentContext> {
  assert(event.type === 'amend', 'the definition is amended');
  return amended(context, event.definition);
}

const emptyVariables: StepVariables = {
  document: null,
  steps: '{}',
  items: null,
  run: { name: '', seed: 0 },
};

export const agentMachine = setup({
  types: { context: {} as AgentContext, events: {} as TimedEvent },
  actions: { intend: intendAction },
}).createMachine({
  id: 'agent',
  version: '1',
  context: {
    self: '' as ActorId,
    parent: '' as ActorId,
    definition: '',
    step: '',
    variables: emptyVariables,
    seed: 0,
    answers: [],
    attempt: 0,
    temperature: null,
    attemptSeed: 0,
    grounding: null,
    judgement: null,
    written: null,
  },
  initial: 'starting',
  on: { amend: { actions: assign(amendedBy) } },
  states: {
    starting: {
      on: {
        start: [
          { guard: isRefused, target: 'failed', actions: assign(started) }, // (A5)
          { target: 'choosing', actions: assign(started) },
        ],
      },
    },
    choosing: {
      always: [
        { guard: hasMoreElements, target: 'thinking' },
        { guard: ({ context }) => planOf(context).step.write !== undefined, target: 'writing' },
        { target: 'done' },
      ],
    },
    thinking: {
      entry: [intend<AgentArguments>(({ context }) => [generate(context)]), assign(takeAsked)],
      on: {
        outcome: [
          {
            guard: isFor(generateTag, 'completed'),
            target: 'judging',
            actions: assign(judgeOutcome),
          },
          { guard: isFor(generateTag, 'any'), target: 'failed' },
        ],
        amend: [
          {
            guard: ({ context, event }) => asksAnother(context, event.definition),
            target: 'thinking',
            reenter: true,
            actions: assign(({ context, event }) => ({
              ...beforeAsking(context, event.definition),
              ...amended(context, event.definition),
            })),
          },
          { actions: assign(amendedBy) },
        ],
        cancel: {
          target: 'cancelling',
          actions: intend<AgentArguments>(() => [{ kind: 'abort', tag: generateTag }]),
        },
      },
    },
    judging: {
      always: [
        { guard: ({ context }) => isDoubtful(context), target: 'doubtful' },
        { guard: ({ context }) => needsPanel(context), target: 'validating' },
        { guard: ({ context }) => mayCall(context), target: 'calling' },
        {
          guard: ({ context }) => mayTellRefusal(context),
          target: 'thinking',
          actions: assign(tellRefusal),
        },
        { target: 'choosing', actions: assign(({ context }) => endElement(context)) },
      ],
    },
    doubtful: {
      entry: intend<AgentArguments>(doubt),
      on: {
        retry: {
          target: 'thinking',
          actions: assign(({ context, event }) => ({
            attempt: event.attempt,
            temperature: event.temperature,
            attemptSeed: event.seed,
            grounding: event.grounding,
            judgement: null,
            ...(event.model === undefined ? {} : { model: event.model }),
            ...heard(context, event.label),
          })),
        },
        settle: {
          target: 'choosing',
          actions: assign(({ context, event }) => settled(context, event)),
        },
        accept: [
          {
            guard: ({ context }) => judgementOf(context).answered,
            target: 'judging',
            actions: assign(({ context }) => ({ judgement: undoubted(judgementOf(context)) })),
          },
          { target: 'choosing', actions: assign(({ context }) => nextElement(context)) },
        ],
        cancel: 'cancelled',
      },
    },
    validating: {
      entry: intend<AgentArguments>(({ context }) => [callPanel(context)]),
      on: {
        'panel-done': { target: 'judging', actions: assign(takeFindings) },
        'panel-failed': 'failed',
        cancel: {
          target: 'cancelling',
          actions: intend<AgentArguments>(({ context }) => [cancelPanel(context)]),
        },
      },
    },
    calling: {
      entry: intend<AgentArguments>(({ context }) => {
        const call = toolCall(context);
        return call.type === 'call' ? [call.intention] : [];
      }),
      on: {
        outcome: [
          {
            guard: (arguments_) =>
              isFor(toolTag, 'any')(arguments_) && arguments_.context.conversation !== undefined,
            target: 'thinking',
            actions: assign(tellOutcome),
          },
          {
            guard: isFor(toolTag, 'any'),
            target: 'choosing',
            actions: assign(takeToolOutcome),
          },
        ],
        cancel: {
          target: 'cancelling',
          actions: intend<AgentArguments>(() => [{ kind: 'abort', tag: toolTag }]),
        },
      },
    },
    writing: {
      entry: intend<AgentArguments>(({ context }) => [write(context)]),
      on: {
        outcome: [
          {
            guard: isFor(writeTag, 'completed'),
            target: 'done',
            actions: assign(({ event }) => ({
              written:
                event.outcome.status === 'completed' ? (event.outcome.value as JsonObject) : null,
            })),
          },
          { guard: isFor(writeTag, 'any'), target: 'failed' },
        ],
        cancel: {
          target: 'cancelling',
          actions: intend<AgentArguments>(() => [{ kind: 'abort', tag: writeTag }]),
        },
      },
    },
    cancelling: {
      on: {
        outcome: 'cancelled',
        'outcome-unknown': 'cancelled',
        'panel-done': 'cancelled',
        'panel-failed': 'cancelled',
        'panel-cancelled': 'cancelled',
      },
    },
    done: {
      type: 'final',
      entry: intend<AgentArguments>(({ context }) => [
        {
          kind: 'send',
          to: context.parent,
          event: { type: 'agent-done', step: context.step, result: stepResult(context) },
        },
      ]),
    },
    failed: {
      type: 'final',
      entry: intend<AgentArguments>(({ context, event }) => [
        {
          kind: 'send',
          to: context.parent,
          event: {
            type: 'agent-failed',
            step: context.step,
            error: failureOf(event),
            ...progressOf(context),
            ...labelOf(context),
          },
        },
      ]),
    },
    cancelled: {
      type: 'final',
      entry: intend<AgentArguments>(({ context }) => [
        {
          kind: 'send',
          to: context.parent,
          event: { type: 'agent-cancelled', step: context.step },
        },
      ]),
    },
  },
});
