/** What an actor host is given: its thread's ports, and its place among the hosts. */
import type { Actor, Envelope, OpenIntention } from '../actors/actor.ts';
import type { AppendRecord } from '../journal/record.ts';
import type { RunStore } from '../journal/run-store.ts';
import type { Clock } from '../kernel/clock.ts';
import type { ErrorMessage } from '../kernel/errors.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import type { ActorDirectory } from './actor-directory.ts';
import type { WakeMessage } from './topics.ts';

/** What a host needs from its thread. Sends never block (H2 reserves their room). */
export interface HostPorts {
  readonly clock: Clock;
  readonly directory: ActorDirectory;
  /** Where the bodies and long texts of a run go. */
  storeOf(run: RunId): RunStore;
  /** The host begins with the actor's next event; null: it has done with it. */
  stepping(actor: Actor | null): void;
  /** Appends one atomic batch; returns the position that has to become durable. */
  append(records: readonly AppendRecord[]): number;
  sendEnvelope(host: number, envelope: Envelope): void;
  /** Whether an actor may take the message in at all. */
  admits(envelope: Envelope): boolean;
  /** Whether what it begins or amends the actor with is what was sealed. */
  chartered(envelope: Envelope): boolean;
  /** Whether the actor does not step for now, whatever mail it has. */
  isHeld(run: RunId, actor: ActorId): boolean;
  act(
    cell: { readonly run: RunId; readonly id: ActorId },
    open: OpenIntention,
    position: number,
  ): void;
  abort(open: OpenIntention): void;
  wake(message: WakeMessage): void;
  /** This host will not touch the run again. */
  runBroken(run: RunId, error: ErrorMessage): void;
  /** Room for the intentions of one more step. */
  hasRoom(): boolean;
}

export interface HostSeat {
  readonly index: number;
  readonly count: number;
  /** Actors kept live; above it the idle ones leave early. */
  readonly liveActorsMax: number;
}
