/**
 * An open run goes on after a restart: its actors are rebuilt by full replay,
 * placed on hosts, and what was on the way is sent again.
 *
 * Invariants
 *   U1. A run whose replay diverges is suspended, never continued.
 *   U2. Every actor is adopted under a higher epoch than the journal has seen.
 *   U3. Every actor is known to the directory before any of them goes on, so
 *       that no message of one finds another absent.
 *   U4. Messages are sent again in the order of their senders; the receiver's
 *       numbers drop what it had.
 */
import type { Envelope } from '../actors/actor.ts';
import { assert } from '../kernel/assert.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import type { ActorDirectory } from './actor-directory.ts';
import type { CpuPool } from './pool/client.ts';
import { rootStart } from './prepare-run.ts';
import type { RunEntry } from './run-index.ts';
import type { AdoptMessage } from './topics.ts';

export interface ResumePorts {
  readonly dataDirectory: string;
  readonly pool: CpuPool;
  readonly directory: ActorDirectory;
  readonly hosts: number;
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
 * Continues the run, or marks it suspended (U1). Returns false when suspended.
 * @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING
 */
export async function resumeRun(entry: RunEntry, ports: ResumePorts): Promise<boolean> {
  if (entry.events.length === 0) {
    deliverFirst(rootStart(entry.id, entry.started), ports);
    return true;
  }
  const recovered = await ports.pool.run('recover-run', {
    dataDirectory: ports.dataDirectory,
    run: entry.id,
  });
  if (recovered.divergence !== null) {
    const { sequence, actor, difference } = recovered.divergence;
    entry.suspended = `Its replay diverges at event ${sequence} (${actor}): ${difference}`;
    return false;
  }
  const live = recovered.actors.filter(({ done }) => !done);
  for (const { actor, epoch } of live) makeKnown(entry.id, actor.id, epoch + 1, ports); // (U2, U3)
  for (const envelope of recovered.undelivered) {
    if (envelope.machine !== null) makeKnown(entry.id, envelope.to, 1, ports); // (U3)
  }
  for (const { actor, epoch, digest } of live) {
    const message = { actor, epoch: epoch + 1, previousDigest: digest, resume: true };
    ports.adopt(hostOf(actor.id, ports.hosts), message);
  }
  for (const envelope of recovered.undelivered) {
    ports.deliver(hostOf(envelope.to, ports.hosts), envelope); // (U4)
  }
  return true;
}
