/**
 * A supervisor owns the agents of one pipeline scope: it starts one for each
 * step, corrects doubtful answers, restarts what failed, and gives up in
 * order, by handing the document to a human.
 *
 * Invariants
 *   S1. One-for-one: a failure or doubt of one agent touches no other.
 *   S2. Attempts are bounded by `supervise.retries`, restarts by
 *       `retry.maxAttempts`; then the step is escalated.
 *       Rules (intervening.ts) come first and are bounded by their `max`.
 *   S3. Every step that was asked for ends in exactly one step-done, unless
 *       the run is cancelled.
 */
import { assign, setup } from 'xstate';
import { assert } from '../kernel/assert.ts';
import type { ActorId } from '../kernel/ids.ts';
import type { TimedEvent } from './event.ts';
import { intend, intendAction } from './intend.ts';
import { hasRules, intervene, intervened, isWord } from './intervening.ts';
import {
  addChild,
  backoff,
  backoffStep,
  cancelChildren,
  criticOf,
  endRecovery,
  mayRestart,
  mayRetry,
  needsRecovery,
  recover,
  recoveryStep,
  removeEnded,
  replaceAgent,
  reportEnd,
  retry,
  type SupervisorArguments,
  type SupervisorContext,
  settle,
  startAgent,
  waitForBackoff,
  waitForRecovery,
} from './supervision.ts';

export const supervisorMachine = setup({
  types: { context: {} as SupervisorContext, events: {} as TimedEvent },
  actions: { intend: intendAction },
}).createMachine({
  id: 'supervisor',
  version: '1',
  context: { self: '' as ActorId, parent: '' as ActorId, definition: '', seed: 0, children: {} },
  initial: 'starting',
  on: { amend: { actions: assign(({ event }) => ({ definition: event.definition })) } },
  states: {
    starting: {
      on: {
        start: {
          target: 'supervising',
          actions: assign(({ context, event }) => {
            assert(event.machine === 'supervisor', 'a supervisor is started as one');
            const { self, parent, definition, seed } = event;
            return { ...context, self, parent, definition, seed };
          }),
        },
      },
    },
    supervising: {
      on: {
        'run-step': { actions: [assign(addChild), intend<SupervisorArguments>(startAgent)] },
        'agent-doubt': [
          // A critic has one attempt.
          {
            guard: ({ event }) => criticOf(event.step) !== null,
            actions: intend<SupervisorArguments>(settle),
          },
          {
            guard: hasRules,
            actions: [intend<SupervisorArguments>(intervene), assign(intervened)],
          },
          { guard: mayRetry, actions: intend<SupervisorArguments>(retry) },
          { actions: intend<SupervisorArguments>(settle) },
        ],
        'agent-failed': [
          {
            guard: isWord,
            actions: [intend<SupervisorArguments>(intervene), assign(intervened)],
          },
          {
            guard: mayRestart,
            actions: [assign(waitForBackoff), intend<SupervisorArguments>(backoff)],
          },
          {
            guard: needsRecovery,
            actions: [assign(waitForRecovery), intend<SupervisorArguments>(recover)],
          },
          { actions: [intend<SupervisorArguments>(reportEnd), assign(removeEnded)] },
        ],
        'agent-done': [
          {
            guard: isWord,
            actions: [intend<SupervisorArguments>(intervene), assign(intervened)],
          },
          {
            guard: needsRecovery,
            actions: [assign(waitForRecovery), intend<SupervisorArguments>(recover)],
          },
          { actions: [intend<SupervisorArguments>(reportEnd), assign(removeEnded)] },
        ],
        outcome: [
          {
            guard: isWord,
            actions: [intend<SupervisorArguments>(intervene), assign(intervened)],
          },
          {
            guard: ({ event }) => backoffStep(event) !== null,
            actions: [assign(replaceAgent), intend<SupervisorArguments>(startAgent)],
          },
          {
            guard: ({ event }) => recoveryStep(event) !== null,
            actions: [intend<SupervisorArguments>(endRecovery), assign(removeEnded)],
          },
        ],
        cancel: { target: 'stopping', actions: intend<SupervisorArguments>(cancelChildren) },
      },
    },
    stopping: {
      always: {
        guard: ({ context }) => Object.keys(context.children).length === 0,
        target: 'stopped',
      },
      on: {
        'agent-cancelled': { actions: assign(removeEnded) },
        'agent-done': { actions: assign(removeEnded) },
        'agent-failed': { actions: assign(removeEnded) },
        outcome: { actions: assign(removeEnded) },
      },
    },
    stopped: {
      type: 'final',
      entry: intend<SupervisorArguments>(({ context }) => [
        { kind: 'send', to: context.parent, event: { type: 'supervisor-stopped' } },
      ]),
    },
  },
});
