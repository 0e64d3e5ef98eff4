/** What is counted of a run, event by event. */
import { generateTag } from '../actors/agent-work.ts';
import { generatePrefix } from '../actors/panel-work.ts';
import type { EventBody } from './event-record.ts';
import { rootActor } from './root-actor.ts';
import type { PauseView, Usage } from './views.ts';

export interface RunCounts {
  readonly usage: Usage;
  readonly stepsDone: number;
  readonly handedToHuman: number;
  /** Messages that the first actor received from outside. */
  readonly outsideMessages: number;
  /** Agents that wait for a person. */
  readonly paused: readonly PauseView[];
}

export const noCounts: RunCounts = {
  usage: { generations: 0, promptTokens: 0, answerTokens: 0, interventions: 0, toolCalls: 0 },
  stepsDone: 0,
  handedToHuman: 0,
  outsideMessages: 0,
  paused: [],
};

function generationUsage(value: unknown): { promptTokens: number; answerTokens: number } {
  const usage = (value as { usage?: { promptTokens?: number; answerTokens?: number } } | null)
    ?.usage;
  return { promptTokens: usage?.promptTokens ?? 0, answerTokens: usage?.answerTokens ?? 0 };
}

/** Of an agent, or of a panel, which has several open. */
function isGeneration(tag: string): boolean {
  return tag === generateTag || tag.startsWith(generatePrefix);
}

/** The same object where the event changes nothing. */
function withEvent(usage: Usage, { event }: EventBody): Usage {
  if (event.type === 'retry') return { ...usage, interventions: usage.interventions + 1 };
  if (event.type !== 'outcome') return usage;
  if (event.tag === 'tool') return { ...usage, toolCalls: usage.toolCalls + 1 };
  if (!isGeneration(event.tag) || event.outcome.status !== 'completed') return usage;
  const { promptTokens, answerTokens } = generationUsage(event.outcome.value);
  return {
    ...usage,
    generations: usage.generations + 1,
    promptTokens: usage.promptTokens + promptTokens,
    answerTokens: usage.answerTokens + answerTokens,
  };
}

const pausePrefix = 'pause:';

/** The same list where the event changes nothing; a pause that a restart asks about again is one. */
function pausesAfter(paused: RunCounts['paused'], body: EventBody): RunCounts['paused'] {
  const { event, actor, cause } = body;
  if (event.type !== 'outcome' && event.type !== 'outcome-unknown') return paused;
  if (!event.tag.startsWith(pausePrefix) || cause === null) return paused;
  const step = event.tag.slice(pausePrefix.length);
  const others = paused.filter((each) => each.actor !== actor || each.step !== step);
  return event.type === 'outcome' ? others : [...others, { key: cause, actor, step }];
}

/** The counts after one more event; the same object where it changes none. */
export function countEvent(counts: RunCounts, body: EventBody): RunCounts {
  const { event } = body;
  const usage = withEvent(counts.usage, body);
  const fromOutside = body.from === '@runtime' && body.actor === rootActor;
  // Events of older journals do not tell which steps never ran.
  const done =
    event.type === 'step-done'
      ? 1
      : event.type === 'document-done'
        ? (event.notRun?.length ?? 0)
        : 0;
  const handed = event.type === 'document-done' && event.handedToHuman;
  const paused = pausesAfter(counts.paused, body);
  const isCounted = usage !== counts.usage || paused !== counts.paused;
  if (!isCounted && !fromOutside && done === 0 && !handed) return counts;
  return {
    usage,
    stepsDone: counts.stepsDone + done,
    handedToHuman: counts.handedToHuman + (handed ? 1 : 0),
    outsideMessages: counts.outsideMessages + (fromOutside ? 1 : 0),
    paused,
  };
}
