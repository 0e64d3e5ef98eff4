/**
 * The running system: starts the threads, continues what was open, begins
 * runs, and shows what the journal says. Everything it shows is read from the
 * journal; it keeps no second truth.
 */
import { join } from 'node:path';
import type { BusMessage } from '../bus/endpoint.ts';
import type { ModelInfo } from '../inference/model-port.ts';
import { storeBlobs } from '../journal/blob-store.ts';
import { type DataDirectory, openDataDirectory } from '../journal/data-directory.ts';
import { workspacesFolder } from '../journal/data-folders.ts';
import { systemClock } from '../kernel/clock.ts';
import { fromErrorMessage, RuntimeError, toErrorMessage } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { SandboxPool } from '../sandbox/sandbox.ts';
import type { RuntimeConfig } from './config.ts';
import { DurableWaiters } from './durable-waiters.ts';
import { EventFeed } from './event-feed.ts';
import { type BlobStore, runStartedRecords } from './event-record.ts';
import { generatedText, generationOf } from './generate-text.ts';
import { InferenceClient } from './inference-worker/client.ts';
import { readTokenNotice } from './inference-worker/protocol.ts';
import { JournalFollower } from './journal-follower.ts';
import { type DurableNotice, durableTopic } from './journal-worker/protocol.ts';
import { CpuPool } from './pool/client.ts';
import { prepareRun, refuseTooMany, rootActor, rootStart } from './prepare-run.ts';
import { deliverFirst, type ResumePorts, resumeRun } from './resume-run.ts';
import { type IndexChange, type RunEntry, runView } from './run-index.ts';
import { type RuntimeThreads, startThreads } from './runtime-threads.ts';
import { actuatorThread, hostThread, inferenceThread, topics, type WakeMessage } from './topics.ts';
import { productVersion } from './version.ts';
import type {
  EventView,
  GeneratedText,
  GenerateTextRequest,
  HealthView,
  RuntimePort,
  RunView,
  SandboxReport,
  SandboxRequest,
  StartRunRequest,
  TokenView,
} from './views.ts';
import { WakeQueue } from './wake-queue.ts';

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

function modelText(model: ModelInfo): string {
  return model.sha256 === null ? model.name : `${model.name} sha256:${model.sha256}`;
}

export class Runtime implements RuntimePort {
  readonly #config: RuntimeConfig;
  readonly #data: DataDirectory;
  readonly #threads: RuntimeThreads;
  readonly #follower: JournalFollower;
  readonly #hooks: RuntimeHooks;
  readonly #feed: EventFeed;
  readonly #pool = new CpuPool();
  readonly #durable = new DurableWaiters();
  readonly #inference: InferenceClient;
  readonly #wakes: WakeQueue;
  readonly #endings = new Map<RunId, PromiseWithResolvers<RunView>>();
  readonly #tokenListeners = new Set<(token: TokenView) => void>();
  #model: ModelInfo | null = null;
  #sandbox: SandboxPool | null = null;
  #stopping: Promise<void> | null = null;
  #resumed = 0;

  constructor({ config, data, threads, follower, hooks }: RuntimeParts) {
    this.#config = config;
    this.#data = data;
    this.#threads = threads;
    this.#follower = follower;
    this.#hooks = hooks;
    this.#feed = new EventFeed(follower);
    this.#wakes = new WakeQueue(follower);
    this.#inference = new InferenceClient(threads.endpoint, { worker: inferenceThread });
  }

  /** Begins to listen, waits for the model, and continues the open runs. */
  async open(): Promise<void> {
    this.#threads.endpoint.listen((message) => this.#receive(message));
    this.#model = await this.#threads.model;
    for (const entry of this.#follower.index.open()) {
      if (await resumeRun(entry, this.#resumePorts())) this.#resumed += 1;
      else this.#notice(`The run ${entry.id} is suspended. ${entry.suspended ?? ''}`);
    }
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
      openRuns: this.#follower.index.open().length,
    };
  }

  async startRun(request: StartRunRequest): Promise<RunView> {
    refuseTooMany(this.#follower.index.open().length);
    const prepared = await prepareRun(request, {
      dataDirectory: this.#config.dataDirectory,
      pool: this.#pool,
      model: modelText(this.#modelInfo()),
    });
    const { run, body, texts } = prepared;
    const nowMs = systemClock.nowMs();
    const store: BlobStore = (blobs, timeMs) =>
      storeBlobs(this.#config.dataDirectory, blobs, timeMs);
    const started = runStartedRecords(run, body, { timeMs: nowMs, store });
    const { producer } = this.#threads;
    const position = producer.append([...store(texts, nowMs), ...started]);
    deliverFirst(rootStart(run, body), this.#resumePorts());
    await this.#durable.whenDurable(position);
    return this.run(run);
  }

  runs(): readonly RunView[] {
    return this.#follower.index.all().map((entry) => this.#view(entry));
  }

  run(id: string): RunView {
    return this.#view(this.#follower.entry(id));
  }

  events(
    id: string,
    range: { readonly from: number; readonly limit: number },
  ): readonly EventView[] {
    const entry = this.#follower.entry(id);
    const from = Math.max(1, range.from);
    const limit = Math.min(range.limit, limits.eventsPageMax);
    const count = Math.max(0, Math.min(limit, entry.events.length - from + 1));
    return Array.from({ length: count }, (_, index) => this.#follower.event(entry, from + index));
  }

  subscribe(id: string, from: number, listener: (event: EventView) => void): () => void {
    return this.#feed.subscribe(this.#follower.entry(id), from, listener);
  }

  onToken(listener: (token: TokenView) => void): () => void {
    this.#tokenListeners.add(listener);
    return () => this.#tokenListeners.delete(listener);
  }

  ended(id: string): Promise<RunView> {
    const entry = this.#follower.entry(id);
    if (entry.ended !== null || entry.suspended !== null) return Promise.resolve(this.#view(entry));
    let ending = this.#endings.get(entry.id);
    if (ending === undefined) {
      ending = Promise.withResolvers();
      this.#endings.set(entry.id, ending);
    }
    return ending.promise;
  }

  async cancel(id: string): Promise<RunView> {
    const entry = this.#follower.entry(id);
    if (entry.ended !== null) {
      throw new RuntimeError('RUN_NOT_OPEN', `The run ${id} has already ended.`);
    }
    if (entry.suspended !== null) {
      throw new RuntimeError('RUN_NOT_OPEN', `The run ${id} is suspended: ${entry.suspended}`);
    }
    // The start of the run is the first message from outside.
    const number = Math.max(1, entry.outsideMessages) + 1;
    this.#toOwner({
      run: entry.id,
      to: rootActor,
      from: '@runtime',
      number,
      cause: null,
      event: { type: 'cancel' },
      machine: null,
    });
    return this.ended(id);
  }

  async generate(
    request: GenerateTextRequest,
    onToken?: (token: { text: string; confidence: number | null }) => void,
    signal?: AbortSignal,
  ): Promise<GeneratedText> {
    const outcome = await this.#inference.generate(generationOf(request), {
      ...(onToken === undefined ? {} : { onToken }),
      ...(signal === undefined ? {} : { signal }),
    });
    return generatedText(this.#modelInfo().name, outcome);
  }

  async sandbox(request: SandboxRequest): Promise<SandboxReport> {
    this.#sandbox ??= new SandboxPool({ size: 1 });
    return this.#sandbox.execute({
      source: request.source,
      timeoutMs: request.timeoutMs ?? limits.sandboxTimeoutMsDefault,
      memoryMb: request.memoryMb ?? limits.sandboxMemoryMbDefault,
    });
  }

  /** Ends every thread and gives the data directory up. Open runs go on at the next start. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#durable.fail(new RuntimeError('JOURNAL_FAILED', 'The runtime is stopping.'));
    await Promise.all([this.#threads.stop(), this.#sandbox?.close(), this.#pool.close()]);
    this.#follower.close();
    this.#data.release();
  }

  /** A thread or the journal is gone: nothing may be acknowledged any more. */
  fail(error: RuntimeError): void {
    this.#durable.fail(error);
    for (const ending of this.#endings.values()) ending.reject(error);
    this.#endings.clear();
    this.#hooks.onFailure?.(error);
  }

  #modelInfo(): ModelInfo {
    if (this.#model !== null) return this.#model;
    throw new RuntimeError('INTERNAL', 'The runtime is not open yet.');
  }

  #notice(text: string): void {
    this.#hooks.onNotice?.(text);
  }

  #view(entry: RunEntry): RunView {
    return runView(entry, join(workspacesFolder(this.#config.dataDirectory), entry.id));
  }

  #send(to: Parameters<RuntimeThreads['endpoint']['send']>[0], topic: number, body: unknown): void {
    if (this.#threads.endpoint.send(to, topic, body)) return;
    throw new RuntimeError(
      'OUTBOX_FULL',
      'The runtime has no room for another message; try again later.',
      {
        retryable: true,
      },
    );
  }

  #resumePorts(): ResumePorts {
    return {
      dataDirectory: this.#config.dataDirectory,
      pool: this.#pool,
      directory: this.#threads.directory,
      hosts: this.#threads.hosts.length,
      adopt: (host, message) => this.#send(hostThread(host), topics.adopt, message),
      deliver: (host, envelope) => this.#send(hostThread(host), topics.envelope, envelope),
    };
  }

  /** To the host that owns the actor, or to any one if it sleeps: that host will wake it. */
  #toOwner(envelope: Parameters<ResumePorts['deliver']>[1]): void {
    const owner = this.#threads.directory.lookup(envelope.run, envelope.to);
    const host = owner.state === 'owned' ? owner.host : 0;
    this.#send(hostThread(host), topics.envelope, envelope);
  }

  #receive(message: BusMessage): void {
    if (this.#threads.inference.handle(message)) return;
    if (this.#inference.handle(message)) return;
    const { topic, body } = message;
    switch (topic) {
      case durableTopic:
        this.#threads.journal.deliver(body);
        this.#follow(body as DurableNotice);
        return;
      case topics.wake:
        this.#wakes.add(body as WakeMessage);
        this.#wakeReady();
        return;
      case topics.hostFailed: {
        const { error } = body as { error: Parameters<typeof fromErrorMessage>[0] };
        this.fail(fromErrorMessage(error));
        return;
      }
      case topics.closed:
        return;
      default:
        this.#token(message);
    }
  }

  #token(message: BusMessage): void {
    const notice = readTokenNotice(message);
    const label = notice?.label;
    if (notice === null || typeof label?.run !== 'string' || typeof label.actor !== 'string')
      return;
    const token: TokenView = {
      run: label.run as RunId,
      actor: label.actor,
      text: notice.text,
      confidence: notice.confidence,
    };
    for (const listener of this.#tokenListeners) listener(token);
  }

  /** Reads what has become durable, then tells whoever waited for it. */
  #follow(notice: DurableNotice): void {
    try {
      this.#follower.advance(notice, (change) => this.#changed(change));
    } catch (error) {
      this.fail(error instanceof RuntimeError ? error : fromErrorMessage(toErrorMessage(error)));
      return;
    }
    this.#durable.advance(notice);
    this.#wakeReady();
  }

  #changed(change: IndexChange): void {
    if (change.type === 'event') this.#feed.notify(change.entry.id);
    if (change.type === 'ended') this.#runEnded(change.entry);
  }

  #runEnded(entry: RunEntry): void {
    for (const actor of entry.actors.keys()) this.#threads.directory.remove(entry.id, actor);
    for (const { index } of this.#threads.hosts) {
      this.#send(hostThread(index), topics.runEnded, { run: entry.id });
    }
    this.#send(actuatorThread, topics.runEnded, { run: entry.id });
    this.#wakes.forgetRun(entry.id);
    this.#endings.get(entry.id)?.resolve(this.#view(entry));
    this.#endings.delete(entry.id);
  }

  #wakeReady(): void {
    this.#wakes.answer((host, message) => this.#send(hostThread(host), topics.adopt, message));
  }
}

/**
 * Opens the data directory, recovers the journal, starts the threads, loads
 * the model, and continues the open runs.
 * @throws RuntimeError DATA_DIRECTORY_LOCKED, DATA_DIRECTORY_UNUSABLE,
 *   DATA_VERSION_NEWER, JOURNAL_CORRUPT, DISK_FULL, MODEL_NOT_FOUND,
 *   MODEL_INVALID, NATIVE_PACKAGE_MISSING, and what an endpoint answers.
 */
export async function startRuntime(
  config: RuntimeConfig,
  hooks: RuntimeHooks = {},
): Promise<Runtime> {
  const data = openDataDirectory(config.dataDirectory, systemClock.nowMs());
  let runtime: Runtime | null = null;
  let threads: RuntimeThreads | null = null;
  try {
    threads = await startThreads(config, (error) => runtime?.fail(error));
    const follower = new JournalFollower(config.dataDirectory);
    follower.advance();
    runtime = new Runtime({ config, data, threads, follower, hooks });
    await runtime.open();
    return runtime;
  } catch (error) {
    if (runtime !== null) await runtime.stop();
    else {
      await threads?.stop();
      data.release();
    }
    throw error;
  }
}
