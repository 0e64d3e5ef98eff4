/**
 * An open run goes on after a restart: its actors are rebuilt by replay, placed
 * on hosts, and what was on the way is sent again.
 *
 * Invariants
 *   U1. A run whose replay diverges is suspended, never continued.
 *   U2. Every actor is adopted under a higher epoch than the journal has seen.
 *   U3. Every actor is known to the directory before any of them goes on, so
 *       that no message of one finds another absent.
 *   U4. Messages are sent again in the order of their senders, before their receivers
 *       are adopted, whose host keeps them so long; the receiver's numbers drop what it had.
 *   U5. What comes of intentions that were in flight is heard after the definition that
 *       a fork amends: a question that this asks again is not answered.
 */
import type { Envelope } from '../actors/actor.ts';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import type { ActorDirectory } from './actor-directory.ts';
import type { CpuPool } from './pool/client.ts';
import { rootStart } from './prepare-run.ts';
import type { RecoveredRun } from './replay-run.ts';
import type { RunEntry } from './run-index.ts';
import { type AdoptMessage, outcomeEnvelope } from './topics.ts';

export interface ResumePorts {
  readonly dataDirectory: string;
  readonly pool: CpuPool;
  /** Digest of the program, whose snapshots are used; without it none is. */
  readonly program?: Sha256;
  readonly directory: ActorDirectory;
  readonly hosts: number;
  /** Resolves when the outbox takes one more actor. */
  room(): Promise<void>;
  adopt(host: number, message: AdoptMessage): void;
  deliver(host: number, envelope: Envelope): void;
}

/** The actors of one document stay together; documents take turns. */
function hostOf(actor: ActorId, hosts: number): number {
  const document = /^run\/document-(\d+)/.exec(actor)?.[1];
  return document === undefined ? 0 : Number(document) % hosts;
}

/** Makes a new actor known on its host and sends it its first message. */
export function deliverFirst(
  envelope: Envelope,
  ports: Pick<ResumePorts, 'directory' | 'hosts' | 'deliver'>,
): void {
  makeKnown(envelope.run, envelope.to, 1, ports);
  ports.deliver(hostOf(envelope.to, ports.hosts), envelope);
}

function makeKnown(
  run: RunId,
  actor: ActorId,
  epoch: number,
  { directory, hosts }: Pick<ResumePorts, 'directory' | 'hosts'>,
): void {
  const inserted = directory.insert(run, actor, { host: hostOf(actor, hosts), epoch });
  assert(inserted, 'the directory has a slot for each actor of the open runs');
}

/**
 * Folds all open runs that have events, in one reading of the journal, each from its
 * snapshot where the index still has one.
 */
export async function recoverRuns(
  open: readonly RunEntry[],
  { pool, dataDirectory, program }: Pick<ResumePorts, 'pool' | 'dataDirectory' | 'program'>,
): Promise<ReadonlyMap<string, RecoveredRun>> {
  const runs = open.filter(({ events }) => events.length > 0).map(({ id }) => id);
  if (runs.length === 0) return new Map();
  const whole = open.filter(({ snapshot }) => snapshot === null).map(({ id }) => id);
  const known = program === undefined ? {} : { program };
  const recovered = await pool.run('recover-runs', { dataDirectory, runs, whole, ...known });
  return new Map(recovered.map((each) => [each.run, each]));
}

/**
 * Continues the run.
 * @param recovered Its replay; undefined for a run that has no event yet.
 * @throws RuntimeError REPLAY_DIVERGED when it must not go on (U1), and
 *   whatever keeps an actor from its host.
 */
export async function resumeRun(
  entry: RunEntry,
  recovered: RecoveredRun | undefined,
  ports: Omit<ResumePorts, 'dataDirectory' | 'pool' | 'program'>,
): Promise<void> {
  if (recovered === undefined) {
    deliverFirst(rootStart(entry.id, entry.started), ports);
    return;
  }
  refuseDiverged(recovered);
  const live = recovered.actors.filter(({ done }) => !done);
  for (const { actor, epoch } of live) makeKnown(entry.id, actor.id, epoch + 1, ports); // (U2, U3)
  for (const envelope of recovered.undelivered) {
    if (envelope.machine !== null) makeKnown(entry.id, envelope.to, 1, ports); // (U3)
  }
  for (const envelope of recovered.undelivered) {
    await ports.room();
    ports.deliver(hostOf(envelope.to, ports.hosts), envelope); // (U4)
  }
  const answered = new Set(recovered.answers.map(({ key }) => key));
  for (const { actor, epoch, digest, begins } of live) {
    await ports.room();
    const open = Object.entries(actor.open).filter(([, { key }]) => !answered.has(key));
    const resume = open.map(([tag]) => tag);
    const message = { actor, epoch: epoch + 1, previousDigest: digest, begins, resume };
    ports.adopt(hostOf(actor.id, ports.hosts), message);
  }
  for (const answer of recovered.answers) {
    await ports.room();
    ports.deliver(hostOf(answer.actor, ports.hosts), outcomeEnvelope(answer)); // (U5)
  }
}

function refuseDiverged({ divergence, problem }: RecoveredRun): void {
  if (problem !== null) throw new RuntimeError('REPLAY_DIVERGED', problem);
  if (divergence === null) return;
  const { sequence, actor, difference } = divergence;
  throw new RuntimeError(
    'REPLAY_DIVERGED',
    `Its replay diverges at event ${sequence} (${actor}): ${difference}`,
  );
}
