/**
 * The effects of a run: what its actors wanted done outside, and what came of
 * it. A fold of the journal, like everything that is known of a run.
 *
 * Invariants
 *   L1. An entry stands for one key (law D3); the first outcome of a key is its
 *       outcome.
 *   L2. Without an outcome an effect is open while its run may go on, and
 *       unanswered once the run has ended. An amendment of a fork that asks again
 *       withdraws what was asked before.
 *   L3. A fork's effects have keys of the fork, those of its parent's events too.
 *   L4. An unknown outcome is none: it has no answer until a human gives one.
 */
import { effectOf, isKnownOperation } from '../actors/effects.ts';
import {
  type ActorSequence,
  type IntentionKey,
  intentionKey,
  parseIntentionKey,
} from '../kernel/ids.ts';
import { type EventBody, rawBodyOf } from './event-record.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { EffectView } from './views.ts';

type MutableEffect = { -readonly [Field in keyof EffectView]: EffectView[Field] };

/** Every effect that the run wanted, in the order in which it did. */
export function effectLedger(follower: JournalFollower, entry: RunEntry): EffectView[] {
  const effects = new Map<IntentionKey, MutableEffect>();
  const sequences = entry.events.keys().map((index) => index + 1);
  for (const { sequence, record } of follower.records(entry, sequences)) {
    const body = rawBodyOf(record) as EventBody;
    const at = { sequence, time: record.timeMs };
    if (body.event.type === 'outcome' && body.cause !== null) {
      const key = intentionKey({ ...parseIntentionKey(body.cause), run: entry.id }); // (L3)
      settle(effects.get(key), body.event.outcome, at);
    }
    if (body.event.type === 'outcome-unknown' && body.cause !== null) {
      const key = intentionKey({ ...parseIntentionKey(body.cause), run: entry.id });
      doubt(effects.get(key), body.event.error.code); // (L4)
    }
    for (const [index, { kind, target }] of body.intentions.entries()) {
      if (kind !== 'act') continue;
      if (body.event.type === 'amend') withdraw(effects.values(), body.actor, target);
      const key = intentionKey({
        run: entry.id,
        actor: body.actor,
        sequence: record.actorSequence as ActorSequence, // An event has one.
        index,
      });
      effects.set(key, wanted(key, body.actor, target, at));
    }
  }
  if (entry.ended !== null) {
    for (const effect of effects.values()) {
      if (effect.status === 'open') effect.status = 'unanswered'; // (L2)
    }
  }
  return [...effects.values()];
}

interface Moment {
  readonly sequence: number;
  readonly time: number;
}

function wanted(
  key: IntentionKey,
  actor: string,
  operation: string,
  requested: Moment,
): MutableEffect {
  const [actuator = '', name = ''] = operation.split('.');
  const effect = isKnownOperation(actuator, name) ? effectOf(actuator, name) : null;
  return { key, actor, operation, effect, status: 'open', code: null, requested, answered: null };
}

function doubt(effect: MutableEffect | undefined, code: string): void {
  if (effect === undefined || effect.answered !== null) return;
  effect.status = 'unknown';
  effect.code = code;
}

function withdraw(effects: Iterable<MutableEffect>, actor: string, operation: string): void {
  for (const effect of effects) {
    const isOpen = effect.status === 'open' && effect.actor === actor;
    if (isOpen && effect.operation === operation) effect.status = 'unanswered';
  }
}

function settle(
  effect: MutableEffect | undefined,
  outcome: { readonly status: EffectView['status']; readonly error?: { readonly code?: unknown } },
  answered: Moment,
): void {
  if (effect === undefined || effect.answered !== null) return; // (L1)
  effect.status = outcome.status;
  effect.code = typeof outcome.error?.code === 'string' ? outcome.error.code : null;
  effect.answered = answered;
}
