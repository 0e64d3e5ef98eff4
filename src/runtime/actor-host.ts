/**
 * Runs many actors on one thread: delivers mail, steps, journals, releases.
 * It does no I/O; everything outside comes in as ports.
 *
 * Invariants
 *   H1. The record of a step is claimed in the journal before any of its sends
 *       or acts is released (law D2).
 *   H2. A step starts only while the outbox has room for all that it may emit.
 *   H3. An actor hibernates only when it is quiet and its snapshot is claimed;
 *       mail that arrives afterwards wakes it again, on whichever host it
 *       reached.
 *   H4. An outcome is folded only while its intention is open under the same
 *       key; later ones change nothing (law D3).
 *   H5. A step that cannot be taken or released ends its run on this host,
 *       never the host: the other runs go on.
 *   H6. An adoption counts only under the epoch that the directory names: one
 *       that was meant for a host before this one in its seat changes nothing.
 *   H7. An actor takes in only what its guard admits, and a held one steps not
 *       at all; its mail waits.
 */
import {
  type Actor,
  actorFromJson,
  applyEvent,
  type Envelope,
  newActor,
  type OpenIntention,
  type StepEffects,
} from '../actors/actor.ts';
import { isAnswer } from '../actors/event.ts';
import { isDone } from '../actors/step.ts';
import { type AppendRecord, recordDigest } from '../journal/record.ts';
import { assert } from '../kernel/assert.ts';
import { toErrorMessage } from '../kernel/errors.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { ActorCell } from './actor-cell.ts';
import { eventRecords, runEndedRecords, snapshotRecords } from './event-record.ts';
import { ForgottenRuns } from './forgotten-runs.ts';
import type { HostPorts, HostSeat } from './host-ports.ts';
import { RunQueue } from './run-queue.ts';
import type { Sleeper } from './snapshot-codec.ts';
import { isDiskFailure, isRefusal, isTooLarge } from './step-failure.ts';
import {
  type AdoptMessage,
  type OutcomeMessage,
  outcomeEnvelope,
  unknownOutcome,
} from './topics.ts';

interface PreparedStep {
  readonly effects: StepEffects;
  readonly records: readonly AppendRecord[];
  /** Digest of the event's record. */
  readonly digest: Buffer;
}

interface Waking {
  readonly epoch: number;
  readonly mail: Envelope[];
}

function cellKey(run: RunId, actor: ActorId): string {
  return `${run}:${actor}`;
}

export class ActorHost {
  readonly #ports: HostPorts;
  readonly #seat: HostSeat;
  readonly #cells = new Map<string, ActorCell>();
  readonly #waking = new Map<string, Waking>();
  readonly #runQueue: RunQueue;
  readonly #forgotten = new ForgottenRuns();
  #nextHost: number;
  #steps = 0;

  constructor(ports: HostPorts, seat: HostSeat) {
    this.#ports = ports;
    this.#runQueue = new RunQueue((run, actor) => ports.isHeld(run, actor));
    this.#seat = seat;
    this.#nextHost = seat.index;
  }

  get liveActors(): number {
    return this.#cells.size;
  }

  get steps(): number {
    return this.#steps;
  }

  get hasWork(): boolean {
    return this.#runQueue.length > 0;
  }

  /** Takes a message for an actor of this host, or passes it on to its owner. */
  deliver(envelope: Envelope): void {
    if (this.#forgotten.has(envelope.run)) return;
    const key = cellKey(envelope.run, envelope.to);
    const cell = this.#cells.get(key);
    if (cell !== undefined) {
      this.#accept(cell, envelope);
      return;
    }
    const waking = this.#waking.get(key);
    if (waking !== undefined) {
      if (envelope.machine !== null) {
        this.#createWaiting(key, envelope, waking);
        return;
      }
      assert(waking.mail.length < limits.mailboxMax, 'a waking actor keeps a bounded mailbox');
      waking.mail.push(envelope);
      return;
    }
    this.#route(envelope);
  }

  deliverOutcome(message: OutcomeMessage): void {
    this.deliver(outcomeEnvelope(message));
  }

  /** Takes over an actor that main has rebuilt, and the mail that waited for it. */
  adopt(message: AdoptMessage): void {
    const actor = actorFromJson(message.actor);
    const key = cellKey(actor.run, actor.id);
    if (this.#forgotten.has(actor.run) || !this.#isMine(actor, message.epoch)) return; // (H6)
    if (this.#cells.has(key)) return; // Under one epoch both adoptions bring the same state.
    const { begins, previousDigest: hex } = message;
    const previousDigest = hex === null ? null : Buffer.from(hex, 'hex');
    const cell = this.#enter({ actor, previousDigest, begins }, message.epoch);
    const waiting = this.#waking.get(key);
    this.#waking.delete(key);
    for (const envelope of waiting?.mail ?? []) this.#accept(cell, envelope);
    for (const tag of message.resume) {
      const open = actor.open[tag];
      if (open !== undefined) this.#resume(cell, open);
    }
  }

  /** Who was held, of one run or of any, may be so no more. */
  letGo(run: RunId | null): void {
    for (const cell of this.#cells.values()) {
      if (run === null || cell.actor.run === run) this.#runQueue.schedule(cell);
    }
  }

  /** Forgets every actor of a run that has ended. */
  forgetRun(run: RunId): void {
    this.#forgotten.add(run);
    for (const [key, cell] of this.#cells) {
      if (cell.actor.run !== run) continue;
      cell.drainAll();
      this.#cells.delete(key);
      this.#ports.directory.remove(run, cell.actor.id);
    }
    for (const key of this.#waking.keys()) if (key.startsWith(`${run}:`)) this.#waking.delete(key);
  }

  /** Steps actors that have mail, at most `limit` events. Returns the events folded. */
  runSteps(limit: number): number {
    let done = 0;
    while (done < limit && this.#ports.hasRoom()) {
      const cell = this.#runQueue.next();
      if (cell === undefined) break;
      const envelope = cell.next();
      if (envelope === undefined) continue;
      if (this.#isCurrent(cell, envelope)) {
        this.#ports.stepping(cell.actor);
        this.#step(cell, envelope);
        this.#ports.stepping(null);
        done += 1;
      }
      this.#runQueue.schedule(cell);
    }
    this.#steps += done;
    return done;
  }

  /** Sends idle actors to sleep; the longest idle ones first when too many are live. */
  hibernateIdle(): number {
    const nowMs = this.#ports.clock.monotonicMs();
    const tooMany = this.#cells.size - this.#seat.liveActorsMax;
    const cells = [...this.#cells].sort(([, a], [, b]) => a.lastUsedMs - b.lastUsedMs);
    let hibernated = 0;
    for (const [key, cell] of cells) {
      const isIdle = nowMs - cell.lastUsedMs >= limits.actorIdleMsMax;
      if (cell.isQuiet && (isIdle || hibernated < tooMany)) {
        this.#hibernate(key, cell);
        hibernated += 1;
      }
    }
    return hibernated;
  }

  #isMine({ run, id }: Actor, epoch: number): boolean {
    const owner = this.#ports.directory.lookup(run, id);
    return owner.state === 'owned' && owner.host === this.#seat.index && owner.epoch === epoch;
  }

  #accept(cell: ActorCell, envelope: Envelope): void {
    if (!this.#ports.admits(envelope)) return; // (H7)
    cell.accept(envelope);
    cell.lastUsedMs = this.#ports.clock.monotonicMs();
    this.#runQueue.schedule(cell);
  }

  #route(envelope: Envelope): void {
    const { run, to } = envelope;
    const owner = this.#ports.directory.lookup(run, to);
    switch (owner.state) {
      case 'absent':
        // The actor or its run has ended; nobody is left to read the message.
        return;
      case 'hibernated':
        this.#wake(envelope, owner);
        return;
      case 'owned':
        if (owner.host !== this.#seat.index) this.#ports.sendEnvelope(owner.host, envelope);
        else if (envelope.machine !== null) this.#create(envelope, owner.epoch);
        // Main has claimed the actor for this host and its adoption is on the way.
        else this.#waking.set(cellKey(run, to), { epoch: owner.epoch, mail: [envelope] });
        return;
    }
  }

  #enter({ actor, previousDigest, begins }: Sleeper, epoch: number): ActorCell {
    const key = cellKey(actor.run, actor.id);
    const cell = new ActorCell(actor, epoch, previousDigest, this.#ports.clock.monotonicMs());
    cell.begins = begins;
    this.#cells.set(key, cell);
    return cell;
  }

  /** A first message that later ones have overtaken, as after a restart; the mailbox puts them in order. */
  #createWaiting(key: string, envelope: Envelope, waiting: Waking): void {
    this.#waking.delete(key);
    this.#create(envelope, waiting.epoch);
    for (const later of waiting.mail) this.deliver(later);
  }

  #create(envelope: Envelope, epoch: number): void {
    const { run, to, machine } = envelope;
    assert(machine !== null, 'the first message names the machine');
    const actor = newActor(run, to, machine, { machines: envelope.machines ?? [] });
    const cell = this.#enter({ actor, previousDigest: null, begins: false }, epoch);
    this.#accept(cell, envelope);
  }

  #wake(envelope: Envelope, owner: { readonly epoch: number; readonly sequence: number }): void {
    const { run, to } = envelope;
    const host = this.#seat.index;
    const claimed = this.#ports.directory.claim(run, to, { host, epoch: owner.epoch });
    if (claimed === null) {
      this.#route(envelope);
      return;
    }
    const { epoch, sleeper } = claimed;
    if (sleeper !== null) {
      this.#accept(this.#enter(sleeper, epoch), envelope);
      return;
    }
    this.#waking.set(cellKey(run, to), { epoch, mail: [envelope] });
    this.#ports.wake({ host, run, actor: to, sequence: owner.sequence, epoch });
  }

  #hibernate(key: string, cell: ActorCell): void {
    const { run, id, sequence } = cell.actor;
    this.#appendSnapshot(cell, this.#ports.clock.nowMs());
    const owner = { host: this.#seat.index, epoch: cell.epoch, sequence };
    // A host that loses the swap is not the owner, and must not go on as if it were.
    this.#ports.directory.hibernate(run, id, owner, cell);
    this.#cells.delete(key);
  }

  /** An outcome counts only while its intention is open under its key (H4), a definition if it was sealed (H7). */
  #isCurrent(cell: ActorCell, envelope: Envelope): boolean {
    const { event } = envelope;
    if (!isAnswer(event)) return this.#ports.chartered(envelope);
    return cell.actor.open[event.tag]?.key === envelope.cause;
  }

  #step(cell: ActorCell, envelope: Envelope): void {
    const timeMs = this.#ports.clock.nowMs();
    const step = this.#tryStep(cell, envelope, timeMs);
    if (step === null) return;
    const { effects, records, digest } = step;
    const position = this.#ports.append(records);
    cell.actor = effects.actor;
    cell.previousDigest = digest;
    cell.begins = false;
    cell.eventsSinceSnapshot += 1;
    try {
      this.#release(cell, effects, position); // (H1)
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      this.#breakRun(cell.actor.run, error); // (H5)
      return;
    }
    this.#settle(cell, timeMs);
  }

  /** The step and its batch, nothing of it journaled yet; null when it broke its run (H5). */
  #tryStep(cell: ActorCell, envelope: Envelope, timeMs: number): PreparedStep | null {
    const { epoch, previousDigest, actor } = cell;
    try {
      const recording = { timeMs, store: this.#ports.storeOf(actor.run) };
      const effects = applyEvent(actor, envelope, timeMs);
      const { begins } = cell;
      const parts = { ...recording, effects, envelope, epoch, previousDigest, begins };
      const records = eventRecords(parts);
      const event = records.at(-1);
      assert(event !== undefined, 'a step has a record');
      const digest = recordDigest(event);
      if (effects.finish !== null) {
        records.push(...runEndedRecords(actor.run, effects.finish, recording));
      }
      return { effects, records, digest };
    } catch (error) {
      if (isDiskFailure(error)) throw error;
      this.#breakRun(actor.run, error);
      return null;
    }
  }

  #breakRun(run: RunId, error: unknown): void {
    this.forgetRun(run);
    this.#ports.runBroken(run, toErrorMessage(error));
  }

  #release(cell: ActorCell, effects: StepEffects, position: number): void {
    for (const envelope of effects.sends) {
      if (envelope.machine !== null) this.#place(envelope);
      this.deliver(envelope);
    }
    for (const open of effects.acts) this.#act(cell, open, position);
    for (const open of effects.aborts) {
      // Nobody is at work on it any more who could say that it has stopped.
      if (open.unknown === true) this.#doubt(cell, open);
      else this.#ports.abort(open);
    }
  }

  /** A new actor lives where the actors of its document live, and documents take turns. */
  #place(envelope: Envelope): void {
    const isDocument = envelope.machine === 'pipeline';
    if (isDocument) this.#nextHost = (this.#nextHost + 1) % this.#seat.count;
    const host = isDocument ? this.#nextHost : this.#seat.index;
    const inserted = this.#ports.directory.insert(envelope.run, envelope.to, { host, epoch: 1 });
    assert(inserted, 'the directory has a slot for each actor of the open runs');
  }

  #act(cell: ActorCell, open: OpenIntention, position: number): void {
    const { run, id } = cell.actor;
    try {
      this.#ports.act({ run, id }, open, position);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // Nobody can carry out what is not valid or does not fit the bus; the actor hears so.
      const outcome = { status: 'refused', error: toErrorMessage(error) } as const;
      this.deliverOutcome({ run, actor: id, key: open.key, tag: open.intention.tag, outcome });
    }
  }

  /**
   * An intention that was open at the crash: again under its key, unless a
   * repeat would be seen; then nobody can know its outcome (law D3).
   */
  #resume(cell: ActorCell, open: OpenIntention): void {
    if (open.intention.effect !== 'once') {
      this.#act(cell, open, 0);
      return;
    }
    if (open.unknown !== true) this.#doubt(cell, open);
  }

  #doubt(cell: ActorCell, open: OpenIntention): void {
    this.deliverOutcome(unknownOutcome(cell.actor, open));
  }

  /** After a step: an ended actor leaves, a long history gets a snapshot. */
  #settle(cell: ActorCell, timeMs: number): void {
    const { run, id, state } = cell.actor;
    if (isDone(state)) {
      cell.drainAll();
      this.#cells.delete(cellKey(run, id));
      this.#ports.directory.remove(run, id);
      return;
    }
    if (cell.eventsSinceSnapshot >= limits.recordsPerSnapshot) {
      this.#appendSnapshot(cell, timeMs);
    }
  }

  #appendSnapshot(cell: ActorCell, timeMs: number): void {
    const recording = { timeMs, store: this.#ports.storeOf(cell.actor.run) };
    this.#ports.append(snapshotRecords(cell.actor, cell.epoch, recording));
    cell.eventsSinceSnapshot = 0;
  }
}
