/**
 * A human says what came of an effect of which nobody else can say it. The
 * answer goes to the actor like any outcome, and names who gave it.
 */
import type { Envelope, OpenIntention } from '../actors/actor.ts';
import type { Outcome } from '../actors/outcome.ts';
import type { Operation } from '../actuators/actuator.ts';
import { fileActuator } from '../actuators/file.ts';
import { type HttpPorts, httpActuator } from '../actuators/http.ts';
import { humanActuator } from '../actuators/human.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { ActorId } from '../kernel/ids.ts';
import { effectLedger } from './effect-ledger.ts';
import { foldRun } from './fold-run.ts';
import { forkPoints } from './fork-point.ts';
import { givenOutcomeSchema } from './given-outcome.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { ResolveRequest } from './views.ts';

/** Here operations are only looked at. */
const nobody: HttpPorts = {
  permit: () => Promise.reject(new Error('nothing is performed here')),
  refused: () => undefined,
  secret: () => '',
};

/** Those whose operations may leave an outcome unknown. */
const actuators = new Map(
  [fileActuator(), humanActuator(), httpActuator(nobody)].map((actuator) => [
    actuator.name,
    actuator,
  ]),
);

/**
 * The actor's mail that settles the effect.
 * @throws RuntimeError EFFECT_NOT_FOUND, EFFECT_SETTLED, OUTCOME_INVALID, RUN_NOT_OPEN,
 *   JOURNAL_CORRUPT, BLOB_MISSING
 */
export function resolution(
  follower: JournalFollower,
  entry: RunEntry,
  { key, outcome, reason }: ResolveRequest,
): Envelope {
  const effect = effectLedger(follower, entry).find((each) => each.key === key);
  if (effect === undefined) {
    throw new RuntimeError(
      'EFFECT_NOT_FOUND',
      `The run ${entry.id} has no effect ${key}; claw effects ${entry.id} lists them.`,
    );
  }
  if (effect.status !== 'unknown') {
    const why = effect.status === 'open' ? 'is still under way' : `is ${effect.status}`;
    throw new RuntimeError('EFFECT_SETTLED', `The effect ${key} ${why}; nothing is to be said.`);
  }
  const why = entry.suspended === null ? 'has ended' : 'is suspended';
  const actor = effect.actor as ActorId; // Of an effect in the ledger.
  const found =
    entry.ended === null && entry.suspended === null ? openOf(follower, entry, actor, key) : null;
  if (found === null) {
    throw new RuntimeError('RUN_NOT_OPEN', `The run ${entry.id} ${why} and hears of nothing more.`);
  }
  const { tag, open } = found;
  const settled = outcomeOf(open, outcome, reason ?? null);
  const by = { who: 'human', reason: reason ?? null } as const;
  return {
    run: entry.id,
    to: actor,
    from: '@actuator',
    number: 0,
    cause: open.key,
    event: { type: 'outcome', tag, outcome: settled, by },
    machine: null,
  };
}

function openOf(
  follower: JournalFollower,
  entry: RunEntry,
  actor: ActorId,
  key: string,
): { tag: string; open: OpenIntention } | null {
  const sequences = entry.actors.get(actor)?.events.map((index) => index + 1) ?? [];
  const { actors } = foldRun(follower.records(entry, sequences), follower.blobsOf(entry.id), {
    keepSends: false,
    points: forkPoints(entry, follower.index),
  });
  for (const { actor: folded } of actors) {
    for (const [tag, open] of Object.entries(folded.open)) {
      if (open.key === key) return { tag, open };
    }
  }
  return null;
}

function outcomeOf(
  { intention }: OpenIntention,
  given: ResolveRequest['outcome'],
  reason: string | null,
): Outcome {
  const operation = actuators.get(intention.actuator)?.operations[intention.operation];
  if (given === 'failed') {
    const message = reason ?? 'A human says that it did not happen.';
    return { status: 'failed', error: { code: 'ACTUATOR_FAILED', message } };
  }
  if (given === 'done') return { status: 'completed', value: presumed(operation, intention) };
  const parsed = givenOutcomeSchema.safeParse(given);
  if (!parsed.success || parsed.data.status === 'unknown') {
    throw invalid('It is done, failed, or an object such as {"status":"completed","value":…}.');
  }
  if (parsed.data.status === 'completed') {
    const result = operation?.result.safeParse(parsed.data.value);
    if (result?.success === false) {
      const name = `${intention.actuator}.${intention.operation}`;
      throw invalid(`Its value is not what ${name} gives: ${result.error.issues[0]?.message}.`);
    }
  }
  return parsed.data as Outcome;
}

function presumed(operation: Operation | undefined, intention: OpenIntention['intention']) {
  if (operation?.presumed === undefined) throw invalid('Its value cannot be known; give it.');
  const value = operation.presumed(operation.arguments.parse(intention.arguments));
  return value as Extract<Outcome, { status: 'completed' }>['value']; // As its schema says.
}

function invalid(what: string): RuntimeError {
  return new RuntimeError('OUTCOME_INVALID', `The outcome cannot be taken. ${what}`);
}
