/** An actor that sleeps in the journal becomes live again: its last snapshot, and the events after it. */
import { type Actor, actorFromJson, actorToJson, applyEvent } from '../actors/actor.ts';
import { assert } from '../kernel/assert.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { eventOf, snapshotOf } from './event-record.ts';
import { inRun } from './fork-point.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { AdoptMessage, WakeMessage } from './topics.ts';

/** Whether the journal already shows the snapshot that a wake asks for. */
export function canRehydrate(entry: RunEntry, wake: WakeMessage): boolean {
  const snapshot = entry.actors.get(wake.actor)?.snapshot ?? null;
  return snapshot !== null && snapshot.sequence >= wake.sequence;
}

function lastEvent(follower: JournalFollower, entry: RunEntry, actor: ActorId) {
  const index = entry.actors.get(actor)?.events.at(-1);
  const position = index === undefined ? undefined : entry.events[index]?.position;
  return position === undefined ? null : follower.read(position);
}

/**
 * Snapshot + tail.
 * @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING
 */
export function rehydrate(
  follower: JournalFollower,
  entry: RunEntry,
  wake: WakeMessage,
): AdoptMessage {
  const known = entry.actors.get(wake.actor);
  assert(known !== undefined && known.snapshot !== null, 'the actor has a snapshot');
  let actor: Actor = actorFromJson(
    snapshotOf(follower.read(known.snapshot.position), follower.blobsOf(entry.id)),
    entry.started.machines,
  );
  const snapshotSequence = actor.sequence;
  for (const index of known.events.slice(snapshotSequence)) {
    const position = entry.events[index]?.position;
    assert(position !== undefined, 'an indexed event has a position');
    const record = follower.read(position);
    const mine = inRun(actor, record.run as RunId); // An event has one.
    actor = applyEvent(mine, eventOf(record, follower.blobsOf(entry.id)), record.timeMs).actor;
  }
  const last = lastEvent(follower, entry, wake.actor);
  return {
    actor: actorToJson(inRun(actor, entry.id)),
    epoch: wake.epoch,
    previousDigest: last === null ? null : last.digest.toString('hex'),
    begins: last !== null && last.run !== entry.id,
    resume: [],
  };
}
