/** Steps and actors of a replay in words. */
import type { Json } from '../kernel/json.ts';
import type { JsonChange } from '../kernel/json-diff.ts';
import { textOf } from '../runtime/breakpoint.ts';
import type { ReplayedActor, ReplayedStep } from '../runtime/replay-session.ts';
import type { StateDifference } from '../runtime/state-difference.ts';
import { alignedRows } from './aligned-rows.ts';

/** Texts of events and states can be whole documents. */
const valueCharactersMax = 160;
const changesMax = 40;

/** What happened, and what it changed. */
export function stepText({ event, changes }: ReplayedStep): string {
  const { type, ...rest } = event.event;
  const clock = new Date(event.time).toISOString().slice(11, 23);
  const wants = event.intentions.map(({ kind, target }) => `           → ${kind} ${target}`);
  return [
    `event ${event.sequence}  ${clock}  ${event.actor} (${event.machine}, its ${event.actorSequence}.)`,
    `  ${String(type)} ${short(rest as Json)}`,
    ...wants,
    ...changeLines(changes),
  ].join('\n');
}

/** A line for each change, as many as are read. */
export function changeLines(changes: readonly JsonChange[]): string[] {
  const left = changes.length - changesMax;
  const more = left > 0 ? [`  … and ${left} more changes`] : [];
  return [...changes.slice(0, changesMax).map(changeText), ...more];
}

function changeText({ path, before, after }: JsonChange): string {
  const place = path === '' ? '/' : path;
  if (before === undefined) return `  + ${place}: ${short(after)}`;
  if (after === undefined) return `  - ${place}: ${short(before)}`;
  return `  ~ ${place}: ${short(before)} → ${short(after)}`;
}

/** How the state of a divergence differs from the journaled one, as far as that is known. */
export function stateLines(state: StateDifference | undefined): string[] {
  if (state === undefined) return [];
  const { expected, actual, changes } = state;
  const about =
    expected === null
      ? 'The journal has only the hash of its state. What the event changes here:'
      : `expected ${short(expected)}\nactual   ${short(actual)}\nFrom expected to actual:`;
  return [about, ...changeLines(changes)];
}

/** A line for each actor. */
export function actorsText(actors: readonly ReplayedActor[]): string {
  if (actors.length === 0) return 'No actor has begun yet.';
  const rows = actors.map(({ actor, machine, events, value, done, open }) => [
    actor,
    machine,
    `${events} events`,
    done ? 'done' : textOf(value),
    Object.entries(open)
      .map(([tag, operation]) => `waits for ${operation} (${tag})`)
      .join(', '),
  ]);
  return alignedRows(rows).join('\n');
}

function short(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= valueCharactersMax ? text : `${text.slice(0, valueCharactersMax)}…`;
}
