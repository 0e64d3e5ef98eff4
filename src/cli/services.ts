/**
 * What the commands need from the layers below, loaded only when a command
 * asks: `claw --help` must not wait for a model library, and a package that
 * did not build must not break the commands that do without it.
 */

import type { StepperKind } from '../actors/stepper.ts';
import type { ExaminationResult } from '../identity/token-examination.ts';
import type { ModelPort } from '../inference/model-port.ts';
import type { ModelStatus } from '../inference/model-status.ts';
import type { explainRoute } from '../inference/routed-models.ts';
import type { BackupReport } from '../journal/backup.ts';
import type { RepairMode, RepairReport } from '../journal/repair.ts';
import type { JournalVerification } from '../journal/verification.ts';
import { systemClock } from '../kernel/clock.ts';
import type { CompactionReport } from '../runtime/compact-journal.ts';
import type { CompactionLimit } from '../runtime/compaction-plan.ts';
import type { RuntimeConfig } from '../runtime/config.ts';
import type { ErasureReport } from '../runtime/erase-run.ts';
import type { OfflineOperators } from '../runtime/offline-operators.ts';
import type { PastGeneration } from '../runtime/past-generations.ts';
import type { ReplaySession } from '../runtime/replay-session.ts';
import type { ArchiveReport } from '../runtime/run-archive.ts';
import type { RunDiff } from '../runtime/run-diff.ts';
import type { SnapshotAudit } from '../runtime/snapshot-run.ts';
import type { StateDifference } from '../runtime/state-difference.ts';
import type { IssuedToken, WantedExecution } from '../runtime/token-desk.ts';
import type {
  ContextView,
  EffectView,
  EventView,
  InterventionView,
  RuntimePort,
  RunView,
  TranscriptView,
  WindowRequest,
  WindowView,
} from '../runtime/views.ts';
import type { LayerStates } from '../sandbox/layers/layer.ts';
import type { Sandboxes } from '../sandbox/sandboxes.ts';

export type { ReplaySession };

/** A runtime of this process. */
export interface RunningRuntime extends RuntimePort {
  /** What the start found from an earlier process. */
  readonly recovered: { readonly runs: number };
  /** Tells other processes, through the lock of the data directory, where the API listens. */
  announcePort(port: number): void;
}

export interface ReplayReport {
  readonly run: string;
  /** Events folded again. */
  readonly events: number;
  readonly equal: boolean;
  readonly stateHash: string;
  readonly divergence: {
    readonly sequence: number;
    readonly actor: string;
    readonly event: unknown;
    readonly expected: string;
    readonly actual: string;
    readonly difference: string;
    readonly state?: StateDifference;
  } | null;
}

/** The journal, open for reading beside whoever writes it. */
export interface ReadOnlyRuntime {
  runs(): readonly RunView[];
  run(id: string): RunView;
  events(id: string, range: { from: number; limit: number }): readonly EventView[];
  effects(id: string): readonly EffectView[];
  interventions(id: string): readonly InterventionView[];
  contexts(id: string): readonly ContextView[];
  transcript(id: string, hash: string): TranscriptView;
  generations(id: string): readonly PastGeneration[];
  window(id: string, request: WindowRequest): WindowView;
  /** @param stepper What steps the machines: their compiled tables unless said. */
  replay(id: string, stepper?: StepperKind): Promise<ReplayReport>;
  /** Where two runs part. */
  diff(left: string, right: string): RunDiff | Promise<RunDiff>;
  /** The last snapshot of each open run against a full replay of it. */
  auditSnapshots(): readonly SnapshotAudit[] | Promise<readonly SnapshotAudit[]>;
  /** A run to go through step by step, or one actor of it. */
  session(id: string, actor?: string): ReplaySession;
  close(): void | Promise<void>;
}

export interface RuntimeHooks {
  readonly onNotice?: (text: string) => void;
  /** The runtime has stopped by itself, such as on a full disk. */
  readonly onFailure?: (error: unknown) => void;
}

export interface Redaction {
  /** Regular expressions beside the rules of the file, or else beside the common ones. */
  readonly patterns: readonly string[];
  /** Absolute path of a file of rules. */
  readonly rulesFile: string | null;
}

export interface Owner {
  readonly pid: number;
  /** Null while the owner serves no API. */
  readonly port: number | null;
}

export interface Services {
  startRuntime(config: RuntimeConfig, hooks?: RuntimeHooks): Promise<RunningRuntime>;
  /** @param ttl seconds @throws RuntimeError KEY_FILE_INVALID */
  issueToken(dataDirectory: string, wanted: WantedExecution, ttl: number): Promise<IssuedToken>;
  /** Without a server. @throws RuntimeError KEY_FILE_INVALID */
  examineToken(dataDirectory: string, question: unknown): Promise<ExaminationResult>;
  openReadOnly(dataDirectory: string): Promise<ReadOnlyRuntime>;
  /**
   * Checks the whole journal and changes nothing.
   * @throws RuntimeError DATA_DIRECTORY_UNUSABLE, DATA_VERSION_NEWER
   */
  verifyJournal(dataDirectory: string): Promise<JournalVerification>;
  /**
   * Takes the lock of the data directory and repairs its journal.
   * @throws RuntimeError DATA_DIRECTORY_LOCKED, DATA_DIRECTORY_UNUSABLE,
   *   DATA_VERSION_NEWER, DISK_FULL, JOURNAL_FAILED
   */
  repairJournal(dataDirectory: string, mode: RepairMode): Promise<RepairReport>;
  /** Takes the lock of the data directory. @throws RuntimeError as `compactJournal`, DATA_DIRECTORY_LOCKED */
  compactJournal(
    dataDirectory: string,
    limit: CompactionLimit,
    options: { readonly nowMs: number; readonly dryRun: boolean },
  ): Promise<CompactionReport>;
  /** A copy of the data directory, beside its owner. @throws RuntimeError as `backUp` of `journal/backup.ts` */
  backUp(dataDirectory: string, folder: string): Promise<BackupReport>;
  /** @throws RuntimeError as `exportRun` of `runtime/run-archive.ts` */
  exportRun(
    dataDirectory: string,
    run: string,
    file: string,
    /** Null to redact nothing. */
    redaction: Redaction | null,
  ): Promise<ArchiveReport>;
  /** Takes the lock of the data directory. @throws RuntimeError as `importRun`, DATA_DIRECTORY_LOCKED */
  importRun(dataDirectory: string, file: string): Promise<ArchiveReport>;
  /** Takes the lock of the data directory. @throws RuntimeError as `eraseRun`, DATA_DIRECTORY_LOCKED */
  eraseRun(dataDirectory: string, run: string, forks: boolean): Promise<ErasureReport>;
  /** Makes a data directory where there is none. @throws RuntimeError DATA_DIRECTORY_UNUSABLE, DATA_VERSION_NEWER, DISK_FULL */
  prepareDataDirectory(dataDirectory: string): Promise<void>;
  /** Takes the lock of the data directory. @throws RuntimeError DATA_DIRECTORY_LOCKED, JOURNAL_CORRUPT */
  openOperators(dataDirectory: string): Promise<OfflineOperators>;
  /** The live process that owns the data directory, or null. */
  owner(dataDirectory: string): Promise<Owner | null>;
  /** The models in this process, as a server would have them. */
  openModel(config: RuntimeConfig): Promise<ModelPort>;
  /**
   * Looks at a model file without loading it.
   * @throws RuntimeError MODEL_NOT_FOUND, MODEL_INVALID
   */
  inspectModel(path: string): Promise<{ readonly name: string }>;
  /** The models of the configuration, none of them loaded. @throws RuntimeError CONFIG_INVALID */
  configuredModels(config: RuntimeConfig): Promise<readonly ModelStatus[]>;
  /** Decides as the runtime would, and asks nobody. */
  explainRoute: (
    ...question: Parameters<typeof explainRoute>
  ) => Promise<ReturnType<typeof explainRoute>>;
  /** What stands between a script and this host, each tried for real. */
  sandboxLayers(): Promise<LayerStates>;
  /** One warm sandbox in this process's care. */
  openSandbox(config: RuntimeConfig): Promise<Pick<Sandboxes, 'execute' | 'close'>>;
}

export const realServices: Services = {
  startRuntime: async (config, hooks) => {
    const { startRuntime } = await import('../runtime/start-runtime.ts');
    return startRuntime(config, hooks);
  },
  openReadOnly: async (dataDirectory) => {
    const { openReadOnly } = await import('../runtime/read-only.ts');
    return openReadOnly(dataDirectory);
  },
  issueToken: async (dataDirectory, wanted, ttl) => {
    const { issueToken } = await import('../runtime/token-desk.ts');
    return issueToken(dataDirectory, wanted, ttl);
  },
  examineToken: async (dataDirectory, question) => {
    const { examineToken } = await import('../runtime/token-desk.ts');
    return examineToken(dataDirectory, question);
  },
  verifyJournal: async (dataDirectory) => {
    const [{ checkDataDirectory }, { verifyJournal }] = await Promise.all([
      import('../journal/data-directory.ts'),
      import('../journal/verification.ts'),
    ]);
    checkDataDirectory(dataDirectory);
    return verifyJournal(dataDirectory);
  },
  repairJournal: async (dataDirectory, mode) => {
    const [{ openDataDirectory }, { repairJournal }] = await Promise.all([
      import('../journal/data-directory.ts'),
      import('../journal/repair.ts'),
    ]);
    const nowMs = systemClock.nowMs();
    const data = openDataDirectory(dataDirectory, nowMs);
    try {
      return repairJournal(data.path, mode, { nowMs });
    } finally {
      data.release();
    }
  },
  compactJournal: async (dataDirectory, limit, options) => {
    const [{ openDataDirectory }, { compactJournal }] = await Promise.all([
      import('../journal/data-directory.ts'),
      import('../runtime/compact-journal.ts'),
    ]);
    const data = openDataDirectory(dataDirectory, options.nowMs);
    try {
      return await compactJournal(data.path, limit, options);
    } finally {
      data.release();
    }
  },
  backUp: async (dataDirectory, folder) => {
    const { backUp } = await import('../journal/backup.ts');
    return backUp(dataDirectory, folder, systemClock.nowMs());
  },
  exportRun: async (dataDirectory, run, file, redaction) => {
    const [
      { checkDataDirectory },
      { exportRun },
      { commonRules, Redactor, userRule },
      { readRedactionRules },
    ] = await Promise.all([
      import('../journal/data-directory.ts'),
      import('../runtime/run-archive.ts'),
      import('../runtime/redactor.ts'),
      import('../runtime/redaction-rules.ts'),
    ]);
    checkDataDirectory(dataDirectory);
    if (redaction === null) return exportRun(dataDirectory, run, file);
    const { patterns, rulesFile } = redaction;
    const own = patterns.map((each, index) => userRule(each, index + 1));
    const { rules, fields } =
      rulesFile === null ? { rules: commonRules, fields: [] } : readRedactionRules(rulesFile);
    return exportRun(dataDirectory, run, file, new Redactor([...own, ...rules], fields));
  },
  importRun: async (dataDirectory, file) => {
    const [{ openDataDirectory }, { importRun }] = await Promise.all([
      import('../journal/data-directory.ts'),
      import('../runtime/run-archive.ts'),
    ]);
    const data = openDataDirectory(dataDirectory, systemClock.nowMs());
    try {
      return importRun(data.path, file);
    } finally {
      data.release();
    }
  },
  eraseRun: async (dataDirectory, run, forks) => {
    const [{ openDataDirectory }, { eraseRun }] = await Promise.all([
      import('../journal/data-directory.ts'),
      import('../runtime/erase-run.ts'),
    ]);
    const nowMs = systemClock.nowMs();
    const data = openDataDirectory(dataDirectory, nowMs);
    try {
      return eraseRun(data.path, run, { forks, nowMs });
    } finally {
      data.release();
    }
  },
  prepareDataDirectory: async (dataDirectory) => {
    const { hasDataDirectory, openDataDirectory } = await import('../journal/data-directory.ts');
    if (hasDataDirectory(dataDirectory)) return;
    openDataDirectory(dataDirectory, systemClock.nowMs()).release();
  },
  openOperators: async (dataDirectory) => {
    const { openOfflineOperators } = await import('../runtime/offline-operators.ts');
    return openOfflineOperators(dataDirectory);
  },
  owner: async (dataDirectory) => {
    const { readLock } = await import('../journal/data-directory.ts');
    const lock = readLock(dataDirectory);
    return lock?.live ? { pid: lock.pid, port: lock.port } : null;
  },
  openModel: async (config) => {
    const [{ openRoutedModels }, { modelSetSettings }] = await Promise.all([
      import('../inference/routed-models.ts'),
      import('../runtime/model-settings.ts'),
    ]);
    return openRoutedModels(modelSetSettings(config));
  },
  inspectModel: async (path) => {
    const [{ inspectModelFile }, llama] = await Promise.all([
      import('../inference/gguf-file.ts'),
      import('node-llama-cpp'),
    ]);
    return inspectModelFile(path, llama);
  },
  configuredModels: async (config) => {
    const [{ ModelSet }, { modelSetSettings }] = await Promise.all([
      import('../inference/model-set.ts'),
      import('../runtime/model-settings.ts'),
    ]);
    return new ModelSet(modelSetSettings(config)).models();
  },
  explainRoute: async (...question) => {
    const { explainRoute } = await import('../inference/routed-models.ts');
    return explainRoute(...question);
  },
  sandboxLayers: async () => {
    const { hostLayers } = await import('../sandbox/layers/host-layers.ts');
    return (await hostLayers()).states;
  },
  openSandbox: async (config) => {
    const [{ Sandboxes }, { sandboxPoolSettings }] = await Promise.all([
      import('../sandbox/sandboxes.ts'),
      import('../runtime/sandbox-config.ts'),
    ]);
    return new Sandboxes({ ...sandboxPoolSettings(config.sandbox), size: 1 });
  },
};
