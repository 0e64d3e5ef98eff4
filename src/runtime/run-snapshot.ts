/**
 * A run after some of its events, as a record of the journal: its living actors
 * with what they have open and have received, and the messages that nobody has
 * received. A recovery goes on from it instead of the first event.
 *
 * Invariants
 *   S1. It is written only of a fold that found every event as the journal has it.
 *   S2. An actor is one text, and so are its long texts: what did not change since
 *       an earlier snapshot is stored once (law D6). `texts` names those inside
 *       the actors, so that whoever keeps what a record names keeps them.
 *   S3. It is used only where the program is the one that took it, the run's chain
 *       of states goes through it, and each actor's state is the one that its last
 *       event recorded. Anything else is no reason to fail: all is folded again.
 *   S4. The keys of a state keep their order: a step may send what depends on it,
 *       though its hash does not.
 */
import type { ActorJson } from '../actors/actor.ts';
import { actorHash, stateFromJson } from '../actors/step.ts';
import { externalize, internalize } from '../journal/blob-store.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import {
  eventOf,
  type RunSnapshotBody,
  type RunSnapshotClaim,
  runSnapshotOf,
} from './event-record.ts';
import { type FoldedRun, type FoldStart, undelivered } from './fold-run.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry, RunSnapshotPlace } from './run-index.ts';

/** The snapshot of a run that was folded without a divergence (S1). */
export function runSnapshotBody(
  run: RunId,
  folded: Pick<FoldedRun, 'actors' | 'done' | 'sends'>,
  claim: RunSnapshotClaim,
): RunSnapshotBody {
  const texts = new Map<Sha256, string>();
  const actors = folded.actors
    .filter(({ done }) => !done)
    .toSorted((left, right) => (left.actor.id < right.actor.id ? -1 : 1))
    .map(({ actor, epoch, digest, begins }) => {
      const { value, blobs } = externalize(actor as unknown as Json);
      for (const [hash, bytes] of blobs) texts.set(hash, bytes.toString('utf8'));
      // (S4)
      return { id: actor.id, epoch, digest, begins, actor: JSON.stringify(value) };
    });
  const { events, stateHash, program } = claim;
  const sends = undelivered(folded);
  return { run, events, stateHash, program, actors, sends, texts: [...texts.values()] };
}

/** Why the snapshot is not used, or null, before it is read (S3). */
function refusalOf(entry: RunEntry, place: RunSnapshotPlace, program: Sha256): string | null {
  if (place.program !== program) return 'another version of the program took it';
  if (entry.events[place.events - 1]?.stateHash !== place.stateHash)
    return 'the run had another state there';
  return null;
}

/**
 * Where a fold of the run can go on, or why its last snapshot says nothing (S3).
 * Null: it has none.
 */
export function startFromSnapshot(
  follower: JournalFollower,
  entry: RunEntry,
  program: Sha256,
): FoldStart | { readonly refusal: string } | null {
  const { snapshot } = entry;
  if (snapshot === null) return null;
  const refusal = refusalOf(entry, snapshot, program);
  if (refusal !== null) return { refusal };
  try {
    return restored(follower, entry, snapshot);
  } catch (error) {
    return { refusal: error instanceof Error ? error.message : String(error) };
  }
}

function restored(
  follower: JournalFollower,
  entry: RunEntry,
  { position, events }: RunSnapshotPlace,
): FoldStart | { readonly refusal: string } {
  const body = runSnapshotOf(follower.read(position), follower.blobsOf(entry.id));
  const texts = new Map(body.texts.map((text) => [sha256(text), Buffer.from(text)]));
  const done = new Set<ActorId>();
  for (const [id, known] of entry.actors) if ((known.events[0] ?? events) < events) done.add(id);
  const actors: FoldStart['actors'][number][] = [];
  for (const { id, epoch, digest, begins, actor: text } of body.actors) {
    const json = JSON.parse(text) as Json;
    const actor = internalize(json, (hash) => texts.get(hash) ?? null) as unknown as ActorJson;
    if (actor.id !== id || !done.delete(id)) return { refusal: `it has no event of ${id}` };
    if (!isLastState(follower, entry, { actor, digest, events }))
      return { refusal: `${id} was in another state` };
    actors.push({ actor, done: false, epoch, digest, begins });
  }
  return { events, actors, done, sends: body.sends };
}

/** Whether the actor's last event among the first `events` of the run left it in this state. */
function isLastState(
  follower: JournalFollower,
  entry: RunEntry,
  { actor, digest, events }: { actor: ActorJson; digest: string; events: number },
): boolean {
  const index = entry.actors.get(actor.id)?.events[actor.sequence - 1];
  const next = entry.actors.get(actor.id)?.events[actor.sequence];
  const place = index === undefined ? undefined : entry.events[index];
  if (index === undefined || place === undefined || index >= events) return false;
  if (next !== undefined && next < events) return false;
  const record = follower.read(place.position);
  if (record.digest.toString('hex') !== digest) return false;
  const { machine, state, machines } = actor;
  const hash = actorHash(stateFromJson(machine, state, 'compact', machines));
  return hash === eventOf(record, follower.blobsOf(entry.id)).hash;
}
