/**
 * The running system: continues what was open, begins runs, and shows what the
 * journal says. Everything it shows is read from the
 * journal; it keeps no second truth.
 */
import { DeadLetterList } from '../bus/dead-letters.ts';
import type { ModelInfo } from '../inference/model-port.ts';
import type { ModelStatus } from '../inference/model-status.ts';
import type { BackupReport } from '../journal/backup.ts';
import type { DataDirectory } from '../journal/data-directory.ts';
import type { JournalMode } from '../journal/journal-writer.ts';
import type { JournalPosition } from '../journal/record.ts';
import { fromErrorMessage, RuntimeError, toErrorMessage } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { AuditService } from './audit-service.ts';
import { resolveEffect } from './await-resolution.ts';
import { BusSampler, type BusView } from './bus-view.ts';
import { runSettings } from './clearance-config.ts';
import type { CompactionReport } from './compact-journal.ts';
import type { RuntimeConfig } from './config.ts';
import { DurableWaiters } from './durable-waiters.ts';
import { effectLedger } from './effect-ledger.ts';
import { completeErasures, type ErasureReport } from './erase-run.ts';
import { EventFeed } from './event-feed.ts';
import { readEventsPage } from './events-page.ts';
import { ForksUnderWay } from './forks-under-way.ts';
import { generateText } from './generate-text.ts';
import type { HostDeath } from './host-pool.ts';
import { HostRecovery } from './host-recovery.ts';
import { InferenceClient } from './inference-worker/client.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { DurableNotice } from './journal-worker/protocol.ts';
import { Maintenance } from './maintenance.ts';
import { CpuPool } from './pool/client.ts';
import { runContexts, runTranscript } from './run-contexts.ts';
import { pausedAgents } from './run-index.ts';
import { runInterventions } from './run-interventions.ts';
import { RunLifecycle } from './run-lifecycle.ts';
import { runWindow } from './run-window.ts';
import type { RuntimeThreads } from './runtime-threads.ts';
import { sandboxPoolSettings } from './sandbox-config.ts';
import { SandboxDesk } from './sandbox-desk.ts';
import type { SandboxReport, SandboxRequest } from './sandbox-request.ts';
import { Security } from './security.ts';
import { SnapshotService } from './snapshot-service.ts';
import { isDiskFailure } from './step-failure.ts';
import { TokenFeed } from './token-feed.ts';
import { topics } from './topics.ts';
import { productVersion } from './version.ts';
import type {
  CompactionRequest,
  ContextView,
  EffectView,
  EraseOptions,
  EventView,
  ForkRequest,
  GeneratedText,
  GenerateTextRequest,
  HealthView,
  InterventionView,
  ResolveRequest,
  RuntimePort,
  RunView,
  StartRunRequest,
  TokenView,
  TranscriptView,
  WindowRequest,
  WindowView,
} from './views.ts';

export interface RuntimeHooks {
  readonly onNotice?: (text: string) => void;
  /** The runtime has stopped by itself, such as on a full disk. */
  readonly onFailure?: (error: unknown) => void;
}

interface RuntimeParts {
  readonly config: RuntimeConfig;
  readonly data: DataDirectory;
  readonly threads: RuntimeThreads;
  readonly follower: JournalFollower;
  readonly hooks: RuntimeHooks;
}

export class Runtime implements RuntimePort {
  readonly security: Security;
  readonly audit: AuditService;
  readonly #data: DataDirectory;
  readonly #journalMode: JournalMode;
  readonly #threads: RuntimeThreads;
  readonly #follower: JournalFollower;
  readonly #hooks: RuntimeHooks;
  readonly #feed: EventFeed;
  readonly #lifecycle: RunLifecycle;
  readonly #snapshots: SnapshotService;
  readonly #recovery: HostRecovery;
  readonly #maintenance: Maintenance;
  readonly #pool = new CpuPool();
  readonly #durable = new DurableWaiters();
  readonly #deadLetters = new DeadLetterList();
  readonly #bus: BusSampler;
  readonly #inference: InferenceClient;
  readonly #tokens = new TokenFeed();
  #model: ModelInfo | null = null;
  readonly #sandbox: SandboxDesk;
  #isOpen = false;
  #stopping: Promise<void> | null = null;
  #resumed = 0;

  constructor({ config, data, threads, follower, hooks }: RuntimeParts) {
    this.#data = data;
    this.#journalMode = config.journal;
    this.#sandbox = new SandboxDesk(sandboxPoolSettings(config.sandbox));
    this.#threads = threads;
    this.#follower = follower;
    this.#hooks = hooks;
    this.#feed = new EventFeed(follower, (error) => this.#failWith(error));
    this.#bus = new BusSampler(threads.bus, this.#deadLetters);
    this.#inference = new InferenceClient(threads.endpoint);
    const onNotice = (text: string) => hooks.onNotice?.(text);
    const [{ dataDirectory }, durable, pool] = [config, this.#durable, this.#pool];
    this.audit = new AuditService({ config, follower, onNotice });
    this.security = new Security({ threads, follower, durable, config });
    const forks = new ForksUnderWay();
    const parts = { dataDirectory, threads, follower, onNotice, durable, pool, forks };
    this.#snapshots = new SnapshotService(parts);
    const settings = runSettings(config, threads.policies);
    this.#lifecycle = new RunLifecycle({ ...parts, snapshots: this.#snapshots, settings });
    this.#recovery = new HostRecovery({
      endHosts: () => threads.hosts.end(),
      startHosts: () => threads.hosts.start(),
      whenJournaled: async () => {
        await threads.model;
        await this.#durable.whenDurable(threads.producer.appendedPosition());
      },
      pause: () => this.#lifecycle.pause(),
      forgetActors: () => this.#lifecycle.forgetActors(),
      resumeAll: () => this.#resumeAll(),
      suspend: (run, { code, message }) => this.#lifecycle.suspend(run, { code, message }),
      onNotice,
      onFailure: (error) => this.fail(error),
    });
    this.#maintenance = new Maintenance({
      dataDirectory: config.dataDirectory,
      index: follower.index,
      feed: this.#feed,
      forks,
      forgetTexts: () => threads.journal.forgetTexts(),
      carryAudit: () => this.security.carry(),
      countRecords: () => this.audit.count(),
      recovered: () => this.#recovery.settled(),
    });
  }

  /** A host has died that nobody stopped. */
  hostDied(death: HostDeath): void {
    this.#recovery.died(death);
  }

  /** Begins to listen, waits for the model, and continues the open runs. */
  async open(): Promise<void> {
    this.#hear();
    this.#threads.endpoint.listen();
    const { bytesCut } = this.recovered;
    if (bytesCut > 0)
      this.#hooks.onNotice?.(
        `The journal ended in ${bytesCut} bytes that were never durable; they were cut.`,
      );
    completeErasures(this.#data.path, this.#follower);
    await this.security.opened();
    this.#model = await this.#threads.model;
    // A host that has died by now continues the runs in its own way.
    if (this.#recovery.deaths === 0) this.#resumed = await this.#resumeAll();
    await this.#recovery.settled();
    await this.audit.open();
    this.#isOpen = true;
  }

  /** Hosts that have just started hear of the audit before any actor reaches them. */
  #resumeAll(): Promise<number> {
    this.security.announce();
    return this.#lifecycle.resumeAll();
  }

  get recovered(): { readonly runs: number; readonly bytesCut: number } {
    return { runs: this.#resumed, bytesCut: this.#threads.journal.recovered?.bytesCut ?? 0 };
  }

  announcePort(port: number): void {
    this.#data.setPort(port);
  }

  health(): HealthView {
    const model = this.#modelInfo();
    return {
      status: 'ok',
      version: productVersion,
      model: { name: model.name, backend: model.backend, demonstration: model.demonstration },
      threads: this.#threads.names,
      hostRestarts: this.#recovery.restarts,
      snapshots: this.#snapshots.view(),
      hibernation: this.#threads.directory.counts,
      journal: this.#journalMode,
      openRuns: this.#follower.index.open().length,
      paused: pausedAgents(this.#follower.index.open()),
    };
  }

  bus(): BusView {
    return this.#bus.view();
  }

  models(): Promise<readonly ModelStatus[]> {
    return this.#inference.models();
  }

  async reloadModel(name: string): Promise<ModelStatus> {
    const { status, info } = await this.#inference.reloadModel(name);
    // New runs name the model that they begin with.
    this.#model = info;
    return status;
  }

  async startRun(request: StartRunRequest): Promise<RunView> {
    return this.#lifecycle.begin(request, this.#modelInfo());
  }

  async fork(id: string, request: ForkRequest): Promise<RunView> {
    return this.#lifecycle.fork(this.#follower.entry(id), request, this.#modelInfo());
  }

  runs(): readonly RunView[] {
    return this.#lifecycle.views();
  }

  run(id: string): RunView {
    return this.#lifecycle.viewOf(id);
  }

  events(
    id: string,
    range: { readonly from: number; readonly limit: number },
  ): readonly EventView[] {
    const limit = Math.min(range.limit, limits.eventsPageMax);
    return readEventsPage(this.#follower, this.#follower.entry(id), { from: range.from, limit });
  }

  effects(id: string): readonly EffectView[] {
    return effectLedger(this.#follower, this.#follower.entry(id));
  }

  interventions(id: string): readonly InterventionView[] {
    return runInterventions(this.#follower, this.#follower.entry(id));
  }

  contexts(id: string): readonly ContextView[] {
    return runContexts(this.#follower, this.#follower.entry(id));
  }

  transcript(id: string, hash: string): TranscriptView {
    return runTranscript(this.#follower, this.#follower.entry(id), hash);
  }

  window(id: string, request: WindowRequest): WindowView {
    return runWindow(this.#follower, this.#follower.entry(id), request);
  }

  subscribe(id: string, from: number, listener: (event: EventView) => void): () => void {
    return this.#feed.subscribe(this.#follower.entry(id), from, listener);
  }

  onToken(listener: (token: TokenView) => void): () => void {
    return this.#tokens.subscribe(listener);
  }

  ended(id: string, signal?: AbortSignal): Promise<RunView> {
    return this.#lifecycle.ended(this.#follower.entry(id), signal);
  }

  async cancel(id: string): Promise<RunView> {
    return this.#lifecycle.cancel(this.#follower.entry(id));
  }

  erase(id: string, options: EraseOptions = {}): Promise<ErasureReport> {
    return this.#lifecycle.erase(id, options.forks ?? false);
  }

  async resolve(id: string, request: ResolveRequest): Promise<EffectView> {
    const [follower, feed, lifecycle] = [this.#follower, this.#feed, this.#lifecycle];
    return resolveEffect({ follower, feed, lifecycle }, follower.entry(id), request);
  }

  backUp(folder: string): Promise<BackupReport> {
    return this.#maintenance.backUp(folder);
  }

  compactJournal(request: CompactionRequest): Promise<CompactionReport> {
    return this.#maintenance.compact(request);
  }

  async generate(
    request: GenerateTextRequest,
    onToken?: (token: { text: string; confidence: number | null }) => void,
    signal?: AbortSignal,
  ): Promise<GeneratedText> {
    return generateText(this.#inference, this.#modelInfo().name, request, onToken, signal);
  }

  sandbox(request: SandboxRequest, signal?: AbortSignal): Promise<SandboxReport> {
    return this.#sandbox.execute(request, signal);
  }

  /** Ends every thread and gives the data directory up. Open runs go on at the next start. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const stopping = new RuntimeError('JOURNAL_FAILED', 'The runtime is stopping.');
    this.#recovery.stop();
    this.#durable.fail(stopping);
    this.#lifecycle.fail(stopping);
    this.#bus.stop();
    this.security.close();
    const maintained = this.#maintenance.stop();
    const last = (timeMsMax: number) => this.#snapshots.finish(timeMsMax, () => this.#read());
    const ended = this.#threads.stop(this.#isOpen ? last : undefined);
    await Promise.all([ended, this.#sandbox.close(), this.#pool.close()]);
    await Promise.all([maintained, this.#snapshots.close()]);
    await this.audit.stop(!this.#threads.producer.failed());
    this.#follower.close();
    this.#data.release();
  }

  /** A thread or the journal is gone: nothing may be acknowledged any more. */
  fail(error: RuntimeError): void {
    this.#recovery.stop();
    this.#durable.fail(error);
    this.#lifecycle.fail(error);
    this.#hooks.onFailure?.(error);
  }

  #failWith(error: unknown): void {
    this.fail(error instanceof RuntimeError ? error : fromErrorMessage(toErrorMessage(error)));
  }

  #modelInfo(): ModelInfo {
    if (this.#model !== null) return this.#model;
    throw new RuntimeError('INTERNAL', 'The runtime is not open yet.');
  }

  #hear(): void {
    const { endpoint, journal } = this.#threads;
    this.security.hear();
    endpoint.on(topics.deadLetters, (letter) => this.#deadLetters.add(letter));
    endpoint.on(topics.durable, (notice) => {
      journal.deliver(notice);
      this.#follow(notice);
    });
    endpoint.on(topics.wake, (wake) => this.#lifecycle.wake(wake));
    endpoint.on(topics.hostFailed, ({ error }) => this.#hostFailed(fromErrorMessage(error)));
    endpoint.on(topics.runBroken, ({ run, error }) => this.#lifecycle.suspend(run, error));
    // Whoever stops the thread waits for its end, which comes after this.
    endpoint.on(topics.closed, () => undefined);
    endpoint.on(topics.token, (notice) => {
      if (!this.#inference.takeToken(notice)) this.#tokens.publish(notice);
    });
  }

  /** Without its disk the runtime stops; whatever else ended a host, hosts start again. */
  #hostFailed(error: RuntimeError): void {
    if (isDiskFailure(error)) this.fail(error);
    else this.#hooks.onNotice?.(`A host fails: ${error.message}`);
  }

  /** Reads on, up to the durable end where it is known. */
  #read(until?: JournalPosition): void {
    this.#follower.advance(until, (change) => {
      if (change.type === 'audit') {
        this.security.audited(change.notice);
        return;
      }
      if (change.type === 'event') this.#feed.notify(change.entry.id);
      this.#lifecycle.changed(change);
    });
  }

  /** Reads what has become durable, then tells whoever waited for it. */
  #follow(notice: DurableNotice): void {
    try {
      this.#read(notice);
    } catch (error) {
      this.#failWith(error);
      return;
    }
    this.#durable.advance(notice);
    this.#lifecycle.answerWakes();
  }
}
