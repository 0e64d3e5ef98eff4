/**
 * A panel examines one answer of an agent: it asks others, stage by stage, as
 * the pattern says (patterns/), reports what was found to the agent, and ends.
 *
 * Invariants
 *   N1. Several questions of one stage are open at once; the next stage begins
 *       when all of them are answered.
 *   N2. It ends in exactly one report, with no intention open.
 *   N3. After a technical failure or a cancel nothing new is asked; what is open
 *       is aborted and its outcomes are awaited.
 *   N4. Where its definition is amended, those open questions are asked again
 *       that are others then.
 */
import { assign, setup } from 'xstate';
import type { ActorId } from '../kernel/ids.ts';
import type { TimedEvent } from './event.ts';
import { intend, intendAction } from './intend.ts';
import {
  abortOpen,
  amended,
  amendmentRefused,
  askAgain,
  begin,
  hasQuestions,
  isRefused,
  isTechnicalFailure,
  noCost,
  type PanelArguments,
  type PanelContext,
  questions,
  reportFailure,
  reportFindings,
  takeAsked,
  takeFailure,
  takeNothing,
  takeOutcome,
} from './panel-work.ts';

const isHeard = ({ context }: { context: PanelContext }): boolean => context.open.length === 0;

export const panelMachine = setup({
  types: { context: {} as PanelContext, events: {} as TimedEvent },
  actions: { intend: intendAction },
}).createMachine({
  id: 'panel',
  version: '1',
  context: {
    self: '' as ActorId,
    parent: '' as ActorId,
    definition: '',
    seed: 0,
    step: '',
    variables: { document: null, steps: '{}', items: null, run: { name: '', seed: 0 } },
    each: null,
    question: '',
    asked: [],
    answer: null,
    stage: 0,
    open: [],
    said: [],
    cost: noCost,
    error: null,
  },
  initial: 'starting',
  on: { amend: { actions: assign(amended) } },
  states: {
    starting: {
      on: {
        start: [
          { guard: isRefused, target: 'failed', actions: assign(begin) },
          { target: 'deciding', actions: assign(begin) },
        ],
      },
    },
    deciding: {
      always: [
        { guard: ({ context }) => hasQuestions(context), target: 'asking' },
        { target: 'done' },
      ],
    },
    asking: {
      entry: [intend<PanelArguments>(({ context }) => questions(context)), assign(takeAsked)],
      always: {
        guard: isHeard, // (N1)
        target: 'deciding',
        actions: assign(({ context }) => ({ stage: context.stage + 1 })),
      },
      on: {
        outcome: [
          {
            guard: isTechnicalFailure,
            target: 'failing',
            actions: [assign(takeFailure), intend<PanelArguments>(abortOpen)], // (N3)
          },
          { actions: assign(takeOutcome) },
        ],
        amend: [
          {
            guard: amendmentRefused,
            target: 'failing',
            actions: [assign(amended), intend<PanelArguments>(abortOpen)],
          },
          {
            actions: [
              intend<PanelArguments>(askAgain), // (N4)
              assign(amended),
            ],
          },
        ],
        cancel: { target: 'cancelling', actions: intend<PanelArguments>(abortOpen) },
      },
    },
    failing: {
      always: { guard: isHeard, target: 'failed' },
      on: { outcome: { actions: assign(takeNothing) }, cancel: 'cancelling' },
    },
    cancelling: {
      always: { guard: isHeard, target: 'cancelled' },
      on: { outcome: { actions: assign(takeNothing) } },
    },
    done: { type: 'final', entry: intend<PanelArguments>(reportFindings) },
    failed: { type: 'final', entry: intend<PanelArguments>(reportFailure) },
    cancelled: {
      type: 'final',
      entry: intend<PanelArguments>(({ context }) => [
        { kind: 'send', to: context.parent, event: { type: 'panel-cancelled' } },
      ]),
    },
  },
});
