/**
 * RuntimePort over arrays, so that the API's own behaviour can be driven event
 * by event: when an event appears, when a run ends, how long a client lags.
 */

import { busStatistics, takeSnapshot } from '../../src/bus/bus-statistics.ts';
import type { ModelStatus } from '../../src/inference/model-status.ts';
import type { BackupReport } from '../../src/journal/backup.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { newRunId, type RunId, runId } from '../../src/kernel/ids.ts';
import type { AuditPort } from '../../src/runtime/audit-port.ts';
import type { BusView } from '../../src/runtime/bus-view.ts';
import type { CompactionReport } from '../../src/runtime/compact-journal.ts';
import type { ErasureReport } from '../../src/runtime/erase-run.ts';
import type { SandboxReport, SandboxRequest } from '../../src/runtime/sandbox-request.ts';
import type { SecurityPort } from '../../src/runtime/security-port.ts';
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
  RunStatus,
  RuntimePort,
  RunView,
  StartRunRequest,
  TokenView,
  TranscriptView,
  WindowRequest,
  WindowView,
} from '../../src/runtime/views.ts';
import { CountedBus } from '../bus/counted-bus.ts';
import { InMemoryOperators } from './in-memory-operators.ts';

interface StoredRun {
  view: RunView;
  readonly events: EventView[];
  readonly effects: EffectView[];
  readonly contexts: TranscriptView[];
  readonly interventions: InterventionView[];
  readonly listeners: Set<{ next: number; listener: (event: EventView) => void }>;
  readonly waiting: Set<(run: RunView) => void>;
}

export class InMemoryRuntime implements RuntimePort {
  readonly operators: InMemoryOperators;
  readonly security: SecurityPort;
  readonly audit: AuditPort = {
    checkpoint: async () => ({ size: 0, root: '', taken: false, note: null, witness: null }),
  };
  readonly started: StartRunRequest[] = [];
  readonly resolved: ResolveRequest[] = [];
  readonly erased: { readonly id: RunId; readonly forks: boolean }[] = [];
  readonly forked: { readonly id: string; readonly request: ForkRequest }[] = [];
  readonly backups: string[] = [];
  readonly compactions: CompactionRequest[] = [];
  readonly generations: GenerateTextRequest[] = [];
  readonly reloadedModels: string[] = [];
  modelStatuses: ModelStatus[] = [
    {
      name: 'in-memory',
      default: true,
      backend: 'llama.cpp',
      device: 'cpu',
      tier: 'small',
      sha256: 'ab'.repeat(32),
      state: 'idle',
      memoryBytes: 5 * 2 ** 20,
      parameters: 1_000_000,
      contextTokens: 2_048,
      sequences: 1,
      generations: 0,
      tokensPerSecond: 123.4,
      usage: null,
    },
  ];
  /** Aborted generations and scripts. */
  aborted = 0;
  readonly scripts: SandboxRequest[] = [];
  /** Whether a script waits for its abort. */
  endlessScripts = false;
  /** Tokens of the next answer; null makes it wait for its abort. */
  answer: string[] | null = ['Hello', ' there'];
  failure: Error | null = null;
  /** Agents that wait for a person. */
  paused = 0;
  /** What the view of the bus shows; a window of two seconds began when all was 0. */
  readonly countedBus = new CountedBus();
  deadLetters: BusView['deadLetters'] = { total: 0, latest: [] };
  readonly #busBefore = takeSnapshot(this.countedBus, 0);
  readonly #runs = new Map<string, StoredRun>();
  readonly #tokenListeners = new Set<(token: TokenView) => void>();

  constructor(operators = new InMemoryOperators()) {
    this.operators = operators;
    this.security = {
      operators,
      record: async () => undefined,
      examine: async () => ({ valid: true, claims: null }),
    };
  }

  health(): HealthView {
    return {
      status: 'ok',
      version: '0.0.0',
      model: { name: 'in-memory', backend: 'llama.cpp', demonstration: true },
      threads: ['main'],
      journal: 'durable',
      hostRestarts: 0,
      snapshots: { taken: 0, audited: 0, mismatches: 0, lastAudit: null },
      hibernation: {
        slots: { used: 12, free: 2_097_140 },
        snapshots: 9,
        bytes: { used: 131_072, free: 268_304_384 },
        templates: 2,
        spilled: 0,
        damaged: 0,
      },
      paused: this.paused,
      openRuns: [...this.#runs.values()].filter(({ view }) => view.status === 'running').length,
    };
  }

  bus(): BusView {
    const statistics = busStatistics(this.#busBefore, takeSnapshot(this.countedBus, 2_000));
    return { ...statistics, deadLetters: this.deadLetters };
  }

  async models(): Promise<readonly ModelStatus[]> {
    return this.modelStatuses;
  }

  async reloadModel(name: string): Promise<ModelStatus> {
    const status = this.modelStatuses.find((each) => each.name === name);
    if (status === undefined) throw new RuntimeError('MODEL_UNKNOWN', `There is no ${name}.`);
    this.reloadedModels.push(name);
    return status;
  }

  async startRun(request: StartRunRequest): Promise<RunView> {
    if (this.failure !== null) throw this.failure;
    this.started.push(request);
    const view: RunView = {
      id: newRunId(),
      pipeline: typeof request.pipeline === 'string' ? request.pipeline : 'inline',
      parent: null,
      status: 'running',
      createdAt: 1,
      endedAt: null,
      events: 0,
      stateHash: '0',
      resultHash: null,
      outputs: null,
      usage: { generations: 0, promptTokens: 0, answerTokens: 0, interventions: 0, toolCalls: 0 },
      progress: { stepsDone: 0, stepsTotal: 2, handedToHuman: 0 },
      error: null,
    };
    this.#store(view);
    return view;
  }

  #store(view: RunView): void {
    this.#runs.set(view.id, {
      view,
      events: [],
      effects: [],
      contexts: [],
      interventions: [],
      listeners: new Set(),
      waiting: new Set(),
    });
  }

  async fork(id: string, request: ForkRequest): Promise<RunView> {
    if (this.failure !== null) throw this.failure;
    this.forked.push({ id, request });
    const { view } = this.#stored(id);
    const fork: RunView = { ...view, id: newRunId(), parent: { run: view.id, at: request.at } };
    this.#store(fork);
    return fork;
  }

  async erase(id: string, { forks = false }: EraseOptions = {}): Promise<ErasureReport> {
    const { view } = this.#stored(id);
    this.erased.push({ id: view.id, forks });
    return { erased: [view.id] };
  }

  async backUp(folder: string): Promise<BackupReport> {
    if (this.failure !== null) throw this.failure;
    this.backups.push(folder);
    const files = { copied: 1, copiedBytes: 2, kept: 3, removed: 4 };
    return { folder, lastSequence: 5, seal: 'seal', files };
  }

  async compactJournal(request: CompactionRequest): Promise<CompactionReport> {
    if (this.failure !== null) throw this.failure;
    this.compactions.push(request);
    const nothing = { segments: 0, bytes: 0, lastSequence: 0, textsKept: 0, textsRemoved: 0 };
    return { ...nothing, seal: 'seal', runs: [], held: [], done: request.dryRun !== true };
  }

  async resolve(id: string, request: ResolveRequest): Promise<EffectView> {
    const effect = this.effects(id).find(({ key }) => key === request.key);
    if (effect === undefined) throw new RuntimeError('EFFECT_NOT_FOUND', 'There is none.');
    this.resolved.push(request);
    return { ...effect, status: 'completed' };
  }

  runs(): readonly RunView[] {
    return [...this.#runs.values()].map(({ view }) => view);
  }

  run(id: string): RunView {
    return this.#stored(id).view;
  }

  events(id: string, range: { from: number; limit: number }): readonly EventView[] {
    return this.#stored(id).events.slice(range.from - 1, range.from - 1 + range.limit);
  }

  addEffect(id: string, effect: EffectView): void {
    this.#stored(id).effects.push(effect);
  }

  effects(id: string): readonly EffectView[] {
    return this.#stored(id).effects;
  }

  addIntervention(id: string, intervention: InterventionView): void {
    this.#stored(id).interventions.push(intervention);
  }

  addContext(id: string, context: TranscriptView): void {
    this.#stored(id).contexts.push(context);
  }

  interventions(id: string): readonly InterventionView[] {
    return this.#stored(id).interventions;
  }

  contexts(id: string): readonly ContextView[] {
    return this.#stored(id).contexts.map(({ messages: _messages, ...context }) => context);
  }

  window(id: string, { at = 1, actor = 'run' }: WindowRequest): WindowView {
    this.#stored(id);
    return {
      actor,
      sequence: at,
      characters: 0,
      promptTokens: null,
      grown: null,
      budget: null,
      previous: null,
      items: [],
      left: [],
    };
  }

  transcript(id: string, hash: string): TranscriptView {
    const found = this.#stored(id).contexts.find((context) => context.hash.startsWith(hash));
    if (found === undefined) throw new RuntimeError('CONTEXT_NOT_FOUND', `no context ${hash}`);
    return found;
  }

  subscribe(id: string, from: number, listener: (event: EventView) => void): () => void {
    const { events, listeners } = this.#stored(id);
    const subscriber = { next: from, listener };
    listeners.add(subscriber);
    for (const event of events.slice(from - 1)) this.#deliver(subscriber, event);
    return () => listeners.delete(subscriber);
  }

  onToken(listener: (token: TokenView) => void): () => void {
    this.#tokenListeners.add(listener);
    return () => this.#tokenListeners.delete(listener);
  }

  ended(id: string, signal?: AbortSignal): Promise<RunView> {
    const run = this.#stored(id);
    if (run.view.status !== 'running') return Promise.resolve(run.view);
    return new Promise((resolve, reject) => {
      run.waiting.add(resolve);
      signal?.addEventListener('abort', () => {
        run.waiting.delete(resolve);
        reject(signal.reason);
      });
    });
  }

  async cancel(id: string): Promise<RunView> {
    return this.end(id, 'cancelled');
  }

  async generate(
    request: GenerateTextRequest,
    onToken?: (token: { text: string; confidence: number | null }) => void,
    signal?: AbortSignal,
  ): Promise<GeneratedText> {
    this.generations.push(request);
    if (this.failure !== null) throw this.failure;
    if (this.answer === null) {
      onToken?.({ text: 'first', confidence: 1 });
      await new Promise((_, reject) => {
        signal?.addEventListener('abort', () => {
          this.aborted += 1;
          reject(new RuntimeError('INFERENCE_ABORTED', 'The generation was stopped.'));
        });
      });
    }
    const tokens = (this.answer ?? []).map((text) => ({
      text,
      confidence: 0.5,
      forced: false,
      entropy: null,
      margin: null,
    }));
    for (const { text, confidence } of tokens) onToken?.({ text, confidence });
    return {
      model: 'in-memory',
      text: tokens.map(({ text }) => text).join(''),
      tokens,
      minConfidence: 0.5,
      usage: { promptTokens: 3, answerTokens: tokens.length },
    };
  }

  async sandbox(request: SandboxRequest, signal?: AbortSignal): Promise<SandboxReport> {
    this.scripts.push(request);
    if (this.endlessScripts) {
      await new Promise<void>((resolve) => {
        signal?.addEventListener('abort', () => {
          this.aborted += 1;
          resolve();
        });
      });
    }
    return {
      ok: true,
      value: request.source.length,
      layers: [],
      usage: { wallMs: 1, cpuMs: 1, memoryMb: request.memoryMb ?? 1 },
    };
  }

  async stop(): Promise<void> {
    this.#runs.clear();
  }

  // What a test does to the runtime.

  append(id: string, count = 1, text = ''): void {
    const run = this.#stored(id);
    for (let index = 0; index < count; index += 1) {
      const sequence = run.events.length + 1;
      const event: EventView = {
        sequence,
        actor: 'run',
        actorSequence: sequence,
        machine: 'pipeline',
        time: sequence,
        cause: null,
        event: { type: 'tick', text },
        actorHash: `a${sequence}`,
        stateHash: `s${sequence}`,
        intentions: [],
      };
      run.events.push(event);
      run.view = { ...run.view, events: sequence, stateHash: event.stateHash };
      for (const subscriber of run.listeners) this.#deliver(subscriber, event);
    }
  }

  /** @param events how many the run has, where the last ones are still to be delivered */
  end(
    id: string,
    status: RunStatus = 'succeeded',
    outputs: RunView['outputs'] = {},
    events?: number,
    error: RunView['error'] = null,
  ): RunView {
    const run = this.#stored(id);
    if (events !== undefined) run.view = { ...run.view, events };
    run.view = { ...run.view, status, endedAt: 2, resultHash: 'r', outputs, error };
    for (const resolve of run.waiting) resolve(run.view);
    run.waiting.clear();
    return run.view;
  }

  token(id: string, text: string): void {
    for (const listener of this.#tokenListeners) {
      listener({ run: runId(id), actor: 'run', text, confidence: 0.5, place: 0 });
    }
  }

  subscriptions(id: string): number {
    return this.#stored(id).listeners.size + this.#tokenListeners.size;
  }

  /** How many wait for the end of the run. */
  waiting(id: string): number {
    return this.#stored(id).waiting.size;
  }

  #deliver(
    subscriber: { next: number; listener: (event: EventView) => void },
    event: EventView,
  ): void {
    if (event.sequence < subscriber.next) return;
    subscriber.next = event.sequence + 1;
    subscriber.listener(event);
  }

  #stored(id: string): StoredRun {
    const run = this.#runs.get(id);
    if (run === undefined) throw new RuntimeError('RUN_NOT_FOUND', `No run has the id ${id}.`);
    return run;
  }
}
