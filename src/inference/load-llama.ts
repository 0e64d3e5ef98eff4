/** Loads what serves a GGUF file: llama.cpp, the weights, a context, and where its states go. */
import type { Llama, LlamaContext, LlamaModel as NativeModel } from 'node-llama-cpp';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { hashModelFile, inspectModelFile, type ModelFile } from './gguf-file.ts';
import { survivesLoading } from './load-probe.ts';
import type { ModelInfo } from './model-port.ts';
import { Speculation, type SpeculationKind } from './speculation.ts';
import { StateFiles } from './state-files.ts';

type LlamaModule = typeof import('node-llama-cpp');

/** A second thread costs a smaller model more than it brings. */
const singleThreadParametersMax = 50_000_000;

export interface LlamaModelSettings {
  readonly file: string;
  /** The file came with the package; any other one is loaded in a process of its own first. */
  readonly trusted: boolean;
  /** Use a GPU when there is one. */
  readonly gpu: boolean;
  /** Marks the model as understanding the bundled prompt formats only. */
  readonly demonstration?: boolean;
  /** Processor cores of the machine, at least 1. */
  readonly cores: number;
  /** Contexts that are held at once, 1 unless given; each has a window of its own in memory. */
  readonly sequences?: number;
  /** One generation at a time, each with the same tokens whatever else is asked. */
  readonly deterministic?: boolean;
  /** How tokens are guessed ahead while that is faster; not in deterministic mode. 'off' without it. */
  readonly speculation?: SpeculationKind;
  /** Guesses whether it is faster or not, to compare answers. */
  readonly alwaysSpeculates?: boolean;
  /** GGUF file of the same vocabulary, for the kind 'draft'. */
  readonly draftFile?: string;
  /** Where a folder is made for states that no sequence has room for. Without it they are read again. */
  readonly stateFolder?: string;
}

/** What serves a model file, once loaded. */
export interface LlamaParts {
  readonly module: LlamaModule;
  readonly llama: Llama;
  readonly model: NativeModel;
  readonly context: LlamaContext;
  readonly file: ModelFile;
  readonly deterministic: boolean;
  readonly states: StateFiles | null;
  readonly speculation: Speculation;
  readonly draft: ModelInMemory | null;
}

interface ModelInMemory {
  readonly model: NativeModel;
  readonly context: LlamaContext;
}

/**
 * Loads a model file.
 * @throws RuntimeError MODEL_NOT_FOUND, MODEL_INVALID, NATIVE_PACKAGE_MISSING.
 */
export async function loadLlama(
  settings: LlamaModelSettings,
): Promise<{ parts: LlamaParts; info: ModelInfo }> {
  const module = await importLlama();
  const file = await inspectModelFile(settings.file, module);
  if (!settings.trusted && !(await survivesLoading(settings.file))) {
    throw modelInvalid(settings.file, 'llama.cpp crashes on it');
  }
  const llama = await startLlama(module, settings.gpu);
  const hash = hashModelFile(settings.file);
  try {
    const { deterministic = false, stateFolder } = settings;
    const loaded = await loadModel(llama, file, settings);
    const kind = deterministic ? 'off' : (settings.speculation ?? 'off');
    const parts = {
      module,
      llama,
      file,
      deterministic,
      states: stateFolder === undefined ? null : new StateFiles(stateFolder),
      speculation: new Speculation(kind, settings.alwaysSpeculates),
      draft: kind === 'draft' ? await loadDraft(llama, module, settings) : null,
      ...loaded,
    };
    const info: ModelInfo = {
      name: file.name,
      backend: 'llama.cpp',
      sha256: await hash,
      contextTokens: parts.context.contextSize,
      demonstration: settings.demonstration ?? false,
      capabilities: {
        confidence: true,
        distribution: true,
        schema: true,
        seed: true,
        rollback: true,
        deterministic,
      },
    };
    return { parts, info };
  } catch (cause) {
    await hash.catch(() => null);
    await llama.dispose();
    if (cause instanceof RuntimeError) throw cause;
    throw modelInvalid(settings.file, `llama.cpp says ${firstLine(cause)}`, cause);
  }
}

function modelInvalid(file: string, problem: string, cause?: unknown): RuntimeError {
  return new RuntimeError(
    'MODEL_INVALID',
    `The model file ${file} cannot be loaded: ${problem}; use a GGUF file of a supported architecture that fits into memory.`,
    { cause, details: { path: file } },
  );
}

async function importLlama(): Promise<LlamaModule> {
  try {
    return await import('node-llama-cpp');
  } catch (cause) {
    throw nativePackageMissing(cause);
  }
}

async function startLlama(module: LlamaModule, gpu: boolean): Promise<Llama> {
  try {
    return await module.getLlama({
      gpu: gpu ? 'auto' : false,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      logLevel: module.LlamaLogLevel.error,
      // What matters of these lines comes back as an exception.
      logger: () => undefined,
    });
  } catch (cause) {
    throw nativePackageMissing(cause);
  }
}

function nativePackageMissing(cause: unknown): RuntimeError {
  return new RuntimeError(
    'NATIVE_PACKAGE_MISSING',
    'node-llama-cpp does not load on this machine; run npm ci again, then claw doctor.',
    { cause },
  );
}

/** @throws RuntimeError MODEL_NOT_FOUND, MODEL_INVALID, CONFIG_INVALID */
async function loadDraft(
  llama: Llama,
  module: LlamaModule,
  settings: LlamaModelSettings,
): Promise<ModelInMemory> {
  const { draftFile, trusted } = settings;
  if (draftFile === undefined) {
    const message =
      'Tokens are to be guessed by a draft model, but no file is named; set model.draft.';
    throw new RuntimeError('CONFIG_INVALID', message);
  }
  const file = await inspectModelFile(draftFile, module);
  if (!trusted && !(await survivesLoading(draftFile))) {
    throw modelInvalid(draftFile, 'llama.cpp crashes on it');
  }
  return loadModel(llama, file, settings);
}

async function loadModel(
  llama: Llama,
  file: ModelFile,
  { cores, sequences = 1 }: Pick<LlamaModelSettings, 'cores' | 'sequences'>,
): Promise<ModelInMemory> {
  const model = await llama.loadModel({ modelPath: file.path });
  const isSmall = file.parameters < singleThreadParametersMax;
  const threads = isSmall ? 1 : Math.max(1, cores - 1);
  const contextTokensMax = Math.min(model.trainContextSize, limits.contextTokensMax);
  const context = await model.createContext({
    contextSize: { max: contextTokensMax },
    sequences,
    threads,
    // On a processor it halves the time to read a long prompt of a small model, and costs more than
    // twice as much for each token and short turn on top of one.
    flashAttention: isSmall && llama.gpu === false ? false : 'auto',
  });
  return { model, context };
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? message;
}
