/**
 * A pipeline schedules its steps in topological order, driven by events alone.
 * The rules are in pipeline-scope.ts; this is their machine.
 */
import { assign, setup } from 'xstate';
import { highestLevel } from '../identity/clearance.ts';
import { assert } from '../kernel/assert.ts';
import type { ActorId } from '../kernel/ids.ts';
import type { JsonObject } from '../kernel/json.ts';
import { act } from './act.ts';
import { definitionOf } from './definition.ts';
import type { TimedEvent } from './event.ts';
import { intend, intendAction } from './intend.ts';
import type { Intention } from './intention.ts';
import { levelsOf } from './labels.ts';
import {
  advance,
  collectItems,
  documentActor,
  hasMappedSteps,
  isComplete,
  itemOf,
  needsCollecting,
  nextItemBlobs,
  openDocuments,
  type PipelineContext,
  runResult,
  stepIsShared,
  summaryOf,
  supervisorOf,
  unreadable,
  variablesFor,
} from './pipeline-scope.ts';

type Arguments = { context: PipelineContext; event: TimedEvent };

const documentTag = 'document';
const itemsTag = 'items';

function begin({ context, event }: Arguments): Partial<PipelineContext> {
  assert(event.type === 'start' && event.machine === 'pipeline', 'a pipeline is started as one');
  const { self, definition, seed, scope } = event;
  const common = { ...context, self, definition, seed, scope };
  return event.scope === 'run'
    ? { ...common, documents: event.documents }
    : { ...common, parent: event.parent, index: event.index, documents: [event.document] };
}

function spawnSupervisor(context: PipelineContext): Intention {
  const to = supervisorOf(context);
  const { self: parent, definition, seed } = context;
  return {
    kind: 'spawn',
    to,
    machine: 'supervisor',
    event: { type: 'start', machine: 'supervisor', self: to, parent, definition, seed },
  };
}

function spawnDocuments(context: PipelineContext): readonly Intention[] {
  if (context.scope !== 'run' || !hasMappedSteps(context)) return [];
  const { self: parent, definition, seed } = context;
  return context.documents.map((document, index) => {
    const to = documentActor(context, index);
    return {
      kind: 'spawn',
      to,
      machine: 'pipeline',
      event: {
        type: 'start',
        machine: 'pipeline',
        scope: 'document',
        self: to,
        parent,
        definition,
        seed,
        index,
        document,
      },
    };
  });
}

function readBlobs(tag: string, hashes: readonly string[], label?: string): Intention {
  const labelled = label === undefined ? {} : { label };
  return act(tag, { actuator: 'blobs', operation: 'read' }, { hashes: [...hashes], ...labelled });
}

function readItems(context: PipelineContext): readonly Intention[] {
  const hashes = nextItemBlobs(context);
  if (hashes.length === 0) return [];
  const levels = levelsOf(definitionOf(context.definition));
  // Items have the results of whole documents, whatever labels these came to.
  return [readBlobs(itemsTag, hashes, levels === null ? undefined : highestLevel(levels))];
}

function startSteps({ context }: Arguments): readonly Intention[] {
  const variables = variablesFor(context);
  return context.started.map((step) => ({
    kind: 'send',
    to: supervisorOf(context),
    event: { type: 'run-step', step, variables },
  }));
}

function takeStep({ context, event }: Arguments): Partial<PipelineContext> {
  assert(event.type === 'step-done', 'a step is done');
  return {
    results: { ...context.results, [event.step]: JSON.stringify(event.result) },
    running: context.running.filter((step) => step !== event.step),
  };
}

/** Tells the documents about a step that their own steps may need. */
function shareStep({ context, event }: Arguments): readonly Intention[] {
  if (event.type !== 'step-done' || context.scope !== 'run') return [];
  const { step, result } = event;
  if (!stepIsShared(context, step)) return [];
  return openDocuments(context).map((index) => ({
    kind: 'send',
    to: documentActor(context, index),
    event: { type: 'shared-step-done', step, result: JSON.stringify(result) },
  }));
}

function textsOf(event: TimedEvent): Readonly<Record<string, string>> {
  assert(event.type === 'outcome' && event.outcome.status === 'completed', 'blobs were read');
  return (event.outcome.value as JsonObject).texts as Record<string, string>;
}

function takeText({ context, event }: Arguments): Partial<PipelineContext> {
  const [document] = context.documents;
  const text = document === undefined ? undefined : textsOf(event)[document.sha256];
  assert(text !== undefined, 'the text of the document was read');
  return { text };
}

function takeUnreadable({ context, event }: Arguments): Partial<PipelineContext> {
  assert(event.type === 'outcome' && event.outcome.status !== 'completed', 'blobs were not read');
  const { code, message } = event.outcome.error;
  return { results: { ...context.results, ...unreadable(context, { code, message }) } };
}

function completed({ event }: Arguments): boolean {
  return event.type === 'outcome' && event.outcome.status === 'completed';
}

function cancelAll({ context }: Arguments): readonly Intention[] {
  const children = [
    supervisorOf(context),
    ...openDocuments(context).map((index) => documentActor(context, index)),
  ];
  return children.map((to) => ({ kind: 'send', to, event: { type: 'cancel' } }));
}

function end({ context }: Arguments): readonly Intention[] {
  if (context.scope === 'run') return [{ kind: 'finish', ...runResult(context) }];
  assert(context.parent !== null, 'a document has a run');
  const { parent: to, index } = context;
  return [{ kind: 'send', to, event: { type: 'document-done', index, ...itemOf(context) } }];
}

/** The items cannot be read back: what still runs is stopped, then the run fails. */
function takeFailure({ event }: Arguments): Partial<PipelineContext> {
  assert(event.type === 'outcome' && event.outcome.status !== 'completed', 'blobs were not read');
  const { code, message } = event.outcome.error;
  return { failure: { code, message } };
}

/** A supervisor stops the run: what still runs is stopped, then the run fails. */
function takeStop({ event }: Arguments): Partial<PipelineContext> {
  assert(event.type === 'stop-run', 'the run is to stop');
  return { failure: event.error };
}

function passOnStop({ context, event }: Arguments): readonly Intention[] {
  assert(event.type === 'stop-run' && context.parent !== null, 'a document has a run');
  return [{ kind: 'send', to: context.parent, event: { type: 'stop-run', error: event.error } }];
}

function endCancelled({ context }: Arguments): readonly Intention[] {
  const { parent, index, failure } = context;
  if (parent !== null) {
    return [{ kind: 'send', to: parent, event: { type: 'document-cancelled', index } }];
  }
  const status = failure === null ? 'cancelled' : 'failed';
  return [{ kind: 'finish', status, outputs: {}, resultHash: '', error: failure }];
}

const takeItem = ({ context, event }: Arguments): Partial<PipelineContext> => {
  assert(event.type === 'document-done', 'a document is done');
  return { items: { ...context.items, [event.index]: summaryOf(event) } };
};

const takeStopped = ({ context, event }: Arguments): Partial<PipelineContext> => {
  assert(event.type === 'document-cancelled', 'a document stopped');
  return { stopped: [...context.stopped, event.index] };
};

export const pipelineMachine = setup({
  types: { context: {} as PipelineContext, events: {} as TimedEvent },
  actions: { intend: intendAction },
}).createMachine({
  id: 'pipeline',
  version: '1',
  context: {
    self: '' as ActorId,
    parent: null,
    scope: 'run',
    definition: '',
    seed: 0,
    documents: [],
    index: 0,
    text: null,
    results: {},
    running: [],
    started: [],
    items: {},
    failure: null,
    stopped: [],
    itemTexts: {},
    collected: null,
  },
  initial: 'starting',
  on: { amend: { actions: assign(({ event }) => ({ definition: event.definition })) } },
  states: {
    starting: {
      on: {
        start: [
          {
            guard: ({ event }) => event.machine === 'pipeline' && event.scope === 'document',
            target: 'reading',
            actions: assign(begin),
          },
          {
            target: 'working',
            actions: [
              assign(begin),
              intend<Arguments>(({ context }) => [
                spawnSupervisor(context),
                ...spawnDocuments(context),
              ]),
            ],
          },
        ],
      },
    },
    reading: {
      entry: intend<Arguments>(({ context }) => [
        readBlobs(
          documentTag,
          context.documents.map((document) => document.sha256),
          context.documents[0]?.label,
        ),
      ]),
      on: {
        outcome: [
          {
            guard: completed,
            target: 'working',
            actions: [
              assign(takeText),
              intend<Arguments>(({ context }) => [spawnSupervisor(context)]),
            ],
          },
          { target: 'done', actions: assign(takeUnreadable) },
        ],
        'shared-step-done': {
          actions: assign(({ context, event }) => ({
            results: { ...context.results, [event.step]: event.result },
          })),
        },
        cancel: {
          target: 'abandoning',
          actions: intend<Arguments>(() => [{ kind: 'abort', tag: documentTag }]),
        },
      },
    },
    working: {
      entry: [assign(({ context }) => advance(context)), intend<Arguments>(startSteps)],
      always: [
        { guard: ({ context }) => needsCollecting(context), target: 'collecting' },
        { guard: ({ context }) => isComplete(context), target: 'done' },
      ],
      on: {
        'step-done': {
          target: 'working',
          reenter: true,
          actions: [assign(takeStep), intend<Arguments>(shareStep)],
        },
        'shared-step-done': {
          target: 'working',
          reenter: true,
          actions: assign(({ context, event }) => ({
            results: { ...context.results, [event.step]: event.result },
          })),
        },
        'document-done': { target: 'working', reenter: true, actions: assign(takeItem) },
        'stop-run': [
          {
            guard: ({ context }) => context.scope === 'document',
            actions: intend<Arguments>(passOnStop),
          },
          { target: 'cancelling', actions: [assign(takeStop), intend<Arguments>(cancelAll)] },
        ],
        cancel: { target: 'cancelling', actions: intend<Arguments>(cancelAll) },
      },
    },
    collecting: {
      always: {
        guard: ({ context }) => nextItemBlobs(context).length === 0,
        target: 'working',
        actions: assign(({ context }) => ({ collected: collectItems(context), itemTexts: {} })),
      },
      entry: intend<Arguments>(({ context }) => readItems(context)),
      on: {
        outcome: [
          {
            guard: completed,
            target: 'collecting',
            reenter: true,
            actions: assign(({ context, event }) => ({
              itemTexts: { ...context.itemTexts, ...textsOf(event) },
            })),
          },
          {
            target: 'cancelling',
            actions: [assign(takeFailure), intend<Arguments>(cancelAll)],
          },
        ],
        'step-done': { actions: assign(takeStep) },
        'stop-run': {
          target: 'abandoning',
          actions: [assign(takeStop), intend<Arguments>(() => [{ kind: 'abort', tag: itemsTag }])],
        },
        cancel: {
          target: 'abandoning',
          actions: intend<Arguments>(() => [{ kind: 'abort', tag: itemsTag }]),
        },
      },
    },
    abandoning: {
      on: {
        outcome: [
          {
            guard: ({ context }) => context.scope === 'run',
            target: 'cancelling',
            actions: intend<Arguments>(cancelAll),
          },
          { target: 'cancelled' },
        ],
      },
    },
    cancelling: {
      on: {
        'document-cancelled': { actions: assign(takeStopped) },
        'document-done': { actions: assign(takeItem) },
        'supervisor-stopped': { target: 'awaiting' },
      },
    },
    awaiting: {
      always: { guard: ({ context }) => openDocuments(context).length === 0, target: 'cancelled' },
      on: {
        'document-cancelled': { actions: assign(takeStopped) },
        'document-done': { actions: assign(takeItem) },
      },
    },
    done: { type: 'final', entry: intend<Arguments>(end) },
    cancelled: { type: 'final', entry: intend<Arguments>(endCancelled) },
  },
});
