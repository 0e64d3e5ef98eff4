/**
 * Begins, continues, cancels, suspends and ends runs, from the main thread. It
 * tells hosts and actuators what to do and learns from the journal alone what
 * came of it.
 *
 * Invariants
 *   L1. A run that cannot go on is suspended and says why; no other run and no
 *       start of the runtime suffers from it.
 *   L2. Once a run has ended or is suspended, no thread keeps an actor, a key or
 *       mail of it.
 *   L3. From the death of a host until its runs go on no run begins or forks, and
 *       nothing is sent to actors; what was begun before is continued once.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Envelope } from '../actors/actor.ts';
import type { ModelInfo } from '../inference/model-port.ts';
import { workspacesFolder } from '../journal/data-folders.ts';
import { removeRun } from '../journal/remove-run.ts';
import { runStore } from '../journal/run-store.ts';
import { systemClock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { Admission } from './admission.ts';
import type { RunSettings } from './clearance-config.ts';
import type { DurableWaiters } from './durable-waiters.ts';
import type { ErasureReport } from './erase-run.ts';
import { Erasures } from './erasures.ts';
import { runEndedRecords, runStartedRecords } from './event-record.ts';
import { outsideMessages } from './fork-point.ts';
import type { ForksUnderWay } from './forks-under-way.ts';
import { HostMail } from './host-mail.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { CpuPool } from './pool/client.ts';
import { prepareFork } from './prepare-fork.ts';
import { type PreparedRun, prepareRun, rootStart } from './prepare-run.ts';
import type { RecoveredRun } from './replay-run.ts';
import { deliverFirst, type ResumePorts, recoverRuns, resumeRun } from './resume-run.ts';
import { rootActor } from './root-actor.ts';
import { RunCharters } from './run-charters.ts';
import { RunEndings } from './run-endings.ts';
import { type IndexChange, type RunEntry, runView } from './run-index.ts';
import { profileMessage } from './run-profiles.ts';
import type { RunSnapshots } from './run-snapshots.ts';
import { runViews, viewOfRun } from './run-views.ts';
import type { RuntimeThreads } from './runtime-threads.ts';
import { quarantined, type Reason, reasonOf } from './suspension.ts';
import {
  actuatorThread,
  hostThread,
  identityThread,
  inferenceThread,
  topics,
  type WakeMessage,
} from './topics.ts';
import type { ForkRequest, RunView, StartRunRequest } from './views.ts';
import { WakeQueue } from './wake-queue.ts';

export interface LifecycleParts {
  readonly dataDirectory: string;
  readonly threads: RuntimeThreads;
  readonly follower: JournalFollower;
  readonly durable: DurableWaiters;
  readonly pool: CpuPool;
  readonly settings: RunSettings;
  readonly snapshots: Pick<RunSnapshots, 'program' | 'changed' | 'resumed'>;
  readonly forks: ForksUnderWay;
  readonly onNotice: (text: string) => void;
}

export class RunLifecycle {
  readonly #parts: LifecycleParts;
  readonly #wakes: WakeQueue;
  readonly #admission: Admission;
  readonly #erasures: Erasures;
  readonly #endings = new RunEndings();
  readonly #charters: RunCharters;
  readonly #mail: HostMail;
  /** Runs that a host gave up before the journal showed that they began. */
  readonly #broken = new Map<RunId, Reason>();
  /** Forks whose actors are not on their hosts yet. */
  readonly #beginning = new Map<RunId, Promise<unknown>>();
  /** Mail from outside for runs that are not over: no journal sends it again when a host dies with it. */
  readonly #outside = new Map<RunId, Envelope[]>();
  /** Counts the deaths of hosts (L3). */
  #era = 0;
  #paused = false;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
    this.#wakes = new WakeQueue(parts.follower);
    this.#admission = new Admission(parts.follower.index);
    this.#erasures = new Erasures(parts);
    this.#charters = new RunCharters(parts);
    this.#mail = new HostMail(parts.threads);
  }

  view(entry: RunEntry): RunView {
    return runView(entry, this.#workspace(entry.id));
  }

  /** Every run, those of which no event is left first. */
  views(): readonly RunView[] {
    return runViews(this.#parts.follower, (id) => this.#workspace(id));
  }

  /** @throws RuntimeError RUN_NOT_FOUND */
  viewOf(id: string): RunView {
    return viewOfRun(this.#parts.follower, id, (run) => this.#workspace(run));
  }

  /** A host has died: nothing goes on until `resumeAll` (L3). */
  pause(): void {
    this.#era += 1;
    this.#paused = true;
  }

  /** Every host has ended: no actor lives and nobody waits for one. */
  forgetActors(): void {
    this.#parts.threads.directory.clear();
    this.#wakes.clear();
  }

  /**
   * Continues every open run; answers how many go on. Those that cannot are
   * suspended (L1). It stops where a further `pause` overtakes it.
   */
  async resumeAll(): Promise<number> {
    const [era, ports] = [this.#era, this.#ports()];
    const open = this.#parts.follower.index.open();
    const recovered = await recoverRuns(open, ports);
    let resumed = 0;
    for (const entry of open) {
      if (era !== this.#era) return resumed;
      if (await this.#tryResume(entry, recovered.get(entry.id), ports)) resumed += 1;
    }
    if (era !== this.#era) return resumed;
    this.#paused = false;
    for (const envelope of [...this.#outside.values()].flat()) this.#mail.toOwner(envelope);
    return resumed;
  }

  /**
   * Begins a run; resolves once its first record is durable.
   * @param model The model that serves.
   * @throws RuntimeError as `prepareRun`, TOO_MANY_RUNS, DISK_FULL, JOURNAL_FAILED
   */
  begin(request: StartRunRequest, model: ModelInfo): Promise<RunView> {
    const { dataDirectory, pool, threads, durable, follower, settings } = this.#parts;
    return this.#admission.hold(async (admit) => {
      const prepared = await this.#sealed(
        prepareRun(request, { dataDirectory, pool, model, admit, settings }),
      );
      await this.#ready();
      await this.#charters.announce({ id: prepared.run, createdAt: 0, started: prepared.body });
      const position = threads.producer.append(this.#firstRecords(prepared));
      try {
        this.#mail.send(
          actuatorThread,
          topics.runProfile,
          profileMessage(prepared.run, prepared.body),
        );
        deliverFirst(rootStart(prepared.run, prepared.body), this.#ports());
      } catch (error) {
        // It is recorded, so it is a run, and one that must not stay open unstarted.
        this.suspend(prepared.run, reasonOf(error));
      }
      await durable.whenDurable(position);
      return this.view(follower.entry(prepared.run));
    });
  }

  /**
   * Begins a fork of the run; resolves once its first record is durable and its
   * actors are on their hosts.
   * @param model The model that serves.
   * @throws RuntimeError as `prepareFork`, RUN_ERASED, TOO_MANY_RUNS, DISK_FULL, JOURNAL_FAILED
   */
  async fork(parent: RunEntry, request: ForkRequest, model: ModelInfo): Promise<RunView> {
    this.#erasures.requireKept(parent.id);
    return this.#parts.forks.of(parent.id, () => this.#beginFork(parent, request, model));
  }

  #beginFork(parent: RunEntry, request: ForkRequest, model: ModelInfo): Promise<RunView> {
    const { dataDirectory, pool, threads, durable, follower, settings } = this.#parts;
    return this.#admission.hold(async (admit) => {
      const context = { dataDirectory, pool, model, admit, follower, settings };
      const prepared = await this.#sealed(prepareFork(parent, request, context));
      await this.#ready();
      const era = this.#era;
      await durable.whenDurable(threads.producer.append(this.#firstRecords(prepared)));
      const entry = follower.entry(prepared.run);
      if (era === this.#era) await this.#goOn(entry);
      await this.#ready();
      return this.view(entry);
    });
  }

  /** Resolves when the run has ended or is suspended; waiting ends with the signal. */
  async ended(entry: RunEntry, signal?: AbortSignal): Promise<RunView> {
    const isOver = entry.ended !== null || entry.suspended !== null;
    return isOver ? this.view(entry) : this.#endings.wait(entry.id, signal);
  }

  /** Asks the run to stop; resolves when it has. @throws RuntimeError RUN_NOT_OPEN */
  async cancel(entry: RunEntry): Promise<RunView> {
    await this.#beginning.get(entry.id);
    await this.#ready();
    if (entry.ended !== null) {
      throw new RuntimeError('RUN_NOT_OPEN', `The run ${entry.id} has already ended.`);
    }
    // Who stands still cannot take part in a cancellation.
    const { quarantine } = this.#parts.follower.security.folds;
    if (quarantine.hasOf(entry.id)) this.suspend(entry.id, quarantined);
    if (entry.suspended !== null) return this.#cancelSuspended(entry);
    const number = outsideMessages(entry, this.#parts.follower.index) + 1;
    const envelope: Envelope = {
      run: entry.id,
      to: rootActor,
      from: '@runtime',
      number,
      cause: null,
      event: { type: 'cancel' },
      machine: null,
    };
    await this.deliver(envelope);
    return this.ended(entry);
  }

  /** @throws RuntimeError as `Erasures.erase` */
  erase(id: string, forks: boolean): Promise<ErasureReport> {
    return this.#erasures.erase(id, forks);
  }

  /** Mail from outside for an actor of an open run. @throws RuntimeError OUTBOX_FULL */
  async deliver(envelope: Envelope): Promise<void> {
    const { run } = envelope;
    await this.#ready();
    this.#outside.set(run, [...(this.#outside.get(run) ?? []), envelope]);
    this.#mail.toOwner(envelope);
  }

  /** A run that cannot go on stays as it is: it can be looked at, replayed and cancelled. */
  suspend(run: RunId, reason: Reason): void {
    const entry = this.#parts.follower.index.get(run);
    if (entry === undefined) {
      this.#broken.set(run, reason);
      return;
    }
    this.#broken.delete(run);
    if (entry.ended !== null || entry.suspended !== null) return;
    entry.suspended = reason;
    this.#parts.onNotice(`The run ${run} is suspended. ${reason.message}`);
    this.#over(entry);
  }

  /** Takes a host's request for a hibernated actor. */
  wake(wake: WakeMessage): void {
    this.#wakes.add(wake);
    this.answerWakes();
  }

  /** The journal shows more than before; some wakes may have waited for it. */
  answerWakes(): void {
    this.#wakes.answer(
      (host, message) => this.#mail.send(hostThread(host), topics.adopt, message),
      (run, error) => this.suspend(run, reasonOf(error)),
    );
  }

  changed(change: IndexChange): void {
    this.#parts.snapshots.changed(change);
    if (change.type === 'ended') this.#over(change.entry);
    if (change.type !== 'started') return;
    const reason = this.#broken.get(change.entry.id);
    if (reason !== undefined) this.suspend(change.entry.id, reason);
  }

  /** Nobody will hear of the end of any run again. */
  fail(error: RuntimeError): void {
    this.#mail.close();
    this.#endings.fail(error);
  }

  async #sealed(preparing: Promise<PreparedRun>): Promise<PreparedRun> {
    const prepared = await preparing;
    return { ...prepared, body: await this.#charters.seal(prepared.run, prepared.body) };
  }

  #firstRecords({ run, body, texts }: PreparedRun) {
    const { dataDirectory, follower } = this.#parts;
    const timeMs = systemClock.nowMs();
    try {
      const cipher = follower.keys.create(run, body.parent?.run ?? null);
      const store = runStore(dataDirectory, cipher);
      return [...store.texts(texts, timeMs), ...runStartedRecords(run, body, { timeMs, store })];
    } catch (error) {
      // Without its texts the run does not begin, and what was made for it is nobody's.
      removeRun(dataDirectory, follower.keys, run);
      throw error;
    }
  }

  /** A fork goes on like a run after a restart, unless all runs do so meanwhile (L3). */
  async #goOn(entry: RunEntry): Promise<void> {
    const [era, ports] = [this.#era, this.#ports()];
    const resumed = recoverRuns([entry], ports).then((recovered) =>
      era === this.#era ? this.#tryResume(entry, recovered.get(entry.id), ports) : false,
    );
    this.#beginning.set(entry.id, resumed);
    await resumed.finally(() => this.#beginning.delete(entry.id));
  }

  async #tryResume(
    entry: RunEntry,
    recovered: RecoveredRun | undefined,
    ports: ResumePorts,
  ): Promise<boolean> {
    const [{ parent }, era] = [entry.started, this.#era];
    if (entry.ended !== null || entry.suspended !== null) return false;
    try {
      // Said before any actor of it acts, both.
      this.#mail.send(actuatorThread, topics.runProfile, profileMessage(entry.id, entry.started));
      if (parent?.allowEffects === false) {
        this.#mail.send(actuatorThread, topics.withhold, { run: entry.id });
      }
      await this.#charters.announce(entry);
      await resumeRun(entry, recovered, ports);
      this.#parts.snapshots.resumed(entry, recovered?.snapshotRefusal ?? null);
      return true;
    } catch (error) {
      // What was overtaken half way is no fault of the run.
      if (era === this.#era) this.suspend(entry.id, reasonOf(error));
      return false;
    }
  }

  /** No host runs it any more, so its end is written here. */
  async #cancelSuspended(entry: RunEntry): Promise<RunView> {
    const none = { outputs: {}, resultHash: '', error: null } as const;
    const finish = { kind: 'finish', status: 'cancelled', ...none } as const;
    const { dataDirectory, follower } = this.#parts;
    const store = runStore(dataDirectory, follower.keys.find(entry.id));
    const records = runEndedRecords(entry.id, finish, { timeMs: systemClock.nowMs(), store });
    await this.#parts.durable.whenDurable(this.#parts.threads.producer.append(records));
    return this.view(entry);
  }

  /** Takes the run's actors and keys off every thread (L2), and tells who waited. */
  #over(entry: RunEntry): void {
    const { directory, hosts } = this.#parts.threads;
    this.#outside.delete(entry.id);
    for (const actor of entry.actors.keys()) directory.remove(entry.id, actor);
    directory.freeUnused();
    const hostThreads = Array.from({ length: hosts.count }, (_, index) => hostThread(index));
    for (const thread of [...hostThreads, actuatorThread, inferenceThread, identityThread]) {
      this.#mail.sendSoon(thread, topics.runEnded, { run: entry.id });
    }
    this.#wakes.forgetRun(entry.id);
    this.#endings.resolve(entry.id, this.view(entry));
  }

  #workspace(run: RunId): string {
    return join(workspacesFolder(this.#parts.dataDirectory), run);
  }

  #ports(): ResumePorts {
    const { dataDirectory, pool, threads, snapshots } = this.#parts;
    const era = this.#era;
    return {
      dataDirectory,
      pool,
      program: snapshots.program,
      directory: threads.directory,
      hosts: threads.hosts.count,
      room: () => this.#roomIn(era),
      adopt: (host, message) => this.#mail.send(hostThread(host), topics.adopt, message),
      deliver: (host, envelope) => this.#mail.toHost(host, envelope),
    };
  }

  async #roomIn(era: number): Promise<void> {
    await this.#mail.room();
    if (era === this.#era) return;
    throw new RuntimeError('INTERNAL', 'A host has died before the run went on.');
  }

  /** Waits until runs may begin (L3) and there is room for the first message. */
  async #ready(): Promise<void> {
    do await this.#mail.room();
    while (this.#paused && !this.#mail.closed && (await sleep(limits.outboxRetryMs, true)));
  }
}
