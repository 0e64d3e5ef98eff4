/**
 * An agent does one step: it asks the model, judges the answer, calls a tool
 * if the answer says so, and writes the step's file. A doubtful answer waits
 * for its supervisor, who alone decides about another attempt.
 *
 * Invariants
 *   A1. At most one external intention is open at a time.
 *   A2. An answer leaves the agent only judged: accepted, or with its doubts.
 *   A3. After a cancel nothing new is asked; the open intention is aborted and
 *       its outcome awaited.
 */
import { assign, setup } from 'xstate';
import { assert } from '../kernel/assert.ts';
import type { ActorId } from '../kernel/ids.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { act } from './act.ts';
import { type Answer, answerFrom, resultOf } from './agent-answer.ts';
import { agentOf, definitionOf, elementsOf, stepOf, templateScope } from './definition.ts';
import type { StepVariables, TimedEvent } from './event.ts';
import { intend, intendAction } from './intend.ts';
import type { Intention } from './intention.ts';
import { type Generation, type Judgement, judge } from './judge.ts';
import type { AgentDefinition, PipelineDefinition, StepDefinition } from './pipeline-definition.ts';
import type { StepResult } from './step-result.ts';
import { renderTemplate } from './template.ts';
import { toolCallOf, toolTag } from './tool-call.ts';

const generateTag = 'generate';
const writeTag = 'write';

export interface AgentContext {
  readonly self: ActorId;
  readonly parent: ActorId;
  readonly definition: string;
  readonly step: string;
  readonly variables: StepVariables;
  readonly seed: number;
  /** Answers to the elements before the present one. */
  readonly answers: readonly Answer[];
  readonly attempt: number;
  readonly temperature: number | null;
  readonly attemptSeed: number;
  readonly grounding: string | null;
  readonly judgement: Judgement | null;
  readonly written: JsonObject | null;
}

type Arguments = { context: AgentContext; event: TimedEvent };

interface Plan {
  readonly definition: PipelineDefinition;
  readonly step: StepDefinition;
  readonly agent: AgentDefinition | null;
}

function planOf(context: AgentContext): Plan {
  const definition = definitionOf(context.definition);
  const step = stepOf(definition, context.step);
  return { definition, step, agent: agentOf(definition, step) };
}

function requireAgent(context: AgentContext): { plan: Plan; agent: AgentDefinition } {
  const plan = planOf(context);
  assert(plan.agent !== null, 'a step without an agent asks nothing');
  return { plan, agent: plan.agent };
}

function currentElement(context: AgentContext): Json {
  return elementsOf(planOf(context).step, context.variables)[context.answers.length] ?? null;
}

function hasMoreElements({ context }: { context: AgentContext }): boolean {
  const { step, agent } = planOf(context);
  return agent !== null && context.answers.length < elementsOf(step, context.variables).length;
}

function questionOf(context: AgentContext): string {
  const { agent } = requireAgent(context);
  return renderTemplate(agent.prompt, templateScope(context.variables, currentElement(context)));
}

function generate(context: AgentContext): Intention {
  const { agent } = requireAgent(context);
  const scope = templateScope(context.variables, currentElement(context));
  const system =
    agent.system === undefined
      ? []
      : [{ role: 'system', content: renderTemplate(agent.system, scope) }];
  const prompt = context.grounding ?? questionOf(context);
  return act(
    generateTag,
    { actuator: 'inference', operation: 'generate' },
    {
      messages: [...system, { role: 'user', content: prompt }],
      schema: (agent.output as JsonObject | undefined) ?? null,
      temperature: context.temperature ?? agent.temperature,
      seed: context.attemptSeed,
      maxTokens: agent.limits.maxTokens,
      timeoutMs: agent.limits.timeoutMs,
      detectors: {
        minConfidence: agent.supervise.minConfidence ?? null,
        repetition: agent.supervise.repetition ?? null,
      },
    },
  );
}

function judgeOutcome({ context, event }: Arguments): Partial<AgentContext> {
  assert(event.type === 'outcome' && event.outcome.status === 'completed', 'a completed outcome');
  const { agent } = requireAgent(context);
  const scope = {
    document: context.variables.document?.text ?? '',
    steps: templateScope(context.variables, null).steps,
    each: currentElement(context),
  };
  return { judgement: judge(agent, event.outcome.value as unknown as Generation, scope) };
}

function judgementOf(context: AgentContext): Judgement {
  assert(context.judgement !== null, 'an answer was judged (A2)');
  return context.judgement;
}

/** Closes the present element with its judgement and turns to the next one. */
function nextElement(
  context: AgentContext,
  more: { output?: Json; reasons?: readonly string[] } = {},
): Partial<AgentContext> {
  const answer = answerFrom(judgementOf(context), context.attempt + 1, more.reasons ?? []);
  return {
    answers: [
      ...context.answers,
      more.output === undefined ? answer : { ...answer, output: more.output },
    ],
    attempt: 0,
    temperature: null,
    attemptSeed: context.seed,
    grounding: null,
    judgement: null,
  };
}

function takeToolOutcome({ context, event }: Arguments): Partial<AgentContext> {
  assert(event.type === 'outcome', 'an outcome');
  const { output } = judgementOf(context);
  const call = isJsonObject(output) ? output : {};
  return event.outcome.status === 'completed'
    ? nextElement(context, { output: { ...call, result: event.outcome.value } })
    : nextElement(context, {
        output: { ...call, result: null },
        reasons: [`The tool failed: ${event.outcome.error.message}`],
      });
}

function toolCall(context: AgentContext) {
  const { plan, agent } = requireAgent(context);
  return toolCallOf(plan.definition, agent, judgementOf(context).output);
}

function stepResult(context: AgentContext): StepResult {
  const { step, agent } = planOf(context);
  const written = context.written;
  if (agent === null) {
    return { verdict: 'accepted', output: written, reasons: [], confidence: null, attempts: 0 };
  }
  const result = resultOf(context.answers, step.each !== undefined);
  return written === null ? result : { ...result, output: { ...written, answer: result.output } };
}

function write(context: AgentContext): Intention {
  const { step } = planOf(context);
  assert(step.write !== undefined, 'the step writes');
  const scope = templateScope(context.variables, null);
  const own = stepResult(context);
  const variables = { ...scope, steps: { ...scope.steps, [context.step]: own } };
  return act(
    writeTag,
    { actuator: 'file', operation: 'write' },
    {
      path: renderTemplate(step.write.path, variables),
      text: renderTemplate(step.write.template, variables),
    },
  );
}

function doubt({ context }: { context: AgentContext }): readonly Intention[] {
  const { reasons, detector } = judgementOf(context);
  return [
    {
      kind: 'send',
      to: context.parent,
      event: {
        type: 'agent-doubt',
        step: context.step,
        attempt: context.attempt,
        each: currentElement(context),
        question: questionOf(context),
        detector,
        reasons,
      },
    },
  ];
}

function isDoubtful(context: AgentContext): boolean {
  const { reasons, retry } = judgementOf(context);
  return reasons.length > 0 && retry;
}

/** A doubted call is never made, and nothing is called twice for one answer. */
function mayCall(context: AgentContext): boolean {
  return judgementOf(context).reasons.length === 0 && toolCall(context).type === 'call';
}

function isFor(tag: string, statuses: 'completed' | 'any') {
  return ({ event }: Arguments) =>
    event.type === 'outcome' &&
    event.tag === tag &&
    (statuses === 'any' || event.outcome.status === 'completed');
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
  states: {
    starting: {
      on: {
        start: {
          target: 'choosing',
          actions: assign(({ context, event }) => {
            assert(event.machine === 'agent', 'an agent is started as one');
            const { self, parent, definition, step, variables, seed } = event;
            return {
              ...context,
              self,
              parent,
              definition,
              step,
              variables,
              seed,
              attemptSeed: seed,
            };
          }),
        },
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
      entry: intend<Arguments>(({ context }) => [generate(context)]),
      on: {
        outcome: [
          {
            guard: isFor(generateTag, 'completed'),
            target: 'judging',
            actions: assign(judgeOutcome),
          },
          { guard: isFor(generateTag, 'any'), target: 'failed' },
        ],
        cancel: {
          target: 'cancelling',
          actions: intend<Arguments>(() => [{ kind: 'abort', tag: generateTag }]),
        },
      },
    },
    judging: {
      always: [
        { guard: ({ context }) => isDoubtful(context), target: 'doubtful' },
        { guard: ({ context }) => mayCall(context), target: 'calling' },
        {
          target: 'choosing',
          actions: assign(({ context }) => {
            const call = toolCall(context);
            return nextElement(context, call.type === 'refused' ? { reasons: [call.reason] } : {});
          }),
        },
      ],
    },
    doubtful: {
      entry: intend<Arguments>(doubt),
      on: {
        retry: {
          target: 'thinking',
          actions: assign(({ event }) => ({
            attempt: event.attempt,
            temperature: event.temperature,
            attemptSeed: event.seed,
            grounding: event.grounding,
            judgement: null,
          })),
        },
        settle: { target: 'choosing', actions: assign(({ context }) => nextElement(context)) },
        cancel: 'cancelled',
      },
    },
    calling: {
      entry: intend<Arguments>(({ context }) => {
        const call = toolCall(context);
        return call.type === 'call' ? [call.intention] : [];
      }),
      on: {
        outcome: {
          guard: isFor(toolTag, 'any'),
          target: 'choosing',
          actions: assign(takeToolOutcome),
        },
        cancel: {
          target: 'cancelling',
          actions: intend<Arguments>(() => [{ kind: 'abort', tag: toolTag }]),
        },
      },
    },
    writing: {
      entry: intend<Arguments>(({ context }) => [write(context)]),
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
          actions: intend<Arguments>(() => [{ kind: 'abort', tag: writeTag }]),
        },
      },
    },
    cancelling: { on: { outcome: 'cancelled' } },
    done: {
      type: 'final',
      entry: intend<Arguments>(({ context }) => [
        {
          kind: 'send',
          to: context.parent,
          event: { type: 'agent-done', step: context.step, result: stepResult(context) },
        },
      ]),
    },
    failed: {
      type: 'final',
      entry: intend<Arguments>(({ context, event }) => {
        assert(
          event.type === 'outcome' && event.outcome.status !== 'completed',
          'a failed outcome',
        );
        return [
          {
            kind: 'send',
            to: context.parent,
            event: { type: 'agent-failed', step: context.step, error: event.outcome.error },
          },
        ];
      }),
    },
    cancelled: {
      type: 'final',
      entry: intend<Arguments>(({ context }) => [
        {
          kind: 'send',
          to: context.parent,
          event: { type: 'agent-cancelled', step: context.step },
        },
      ]),
    },
  },
});
