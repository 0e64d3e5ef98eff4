/** Loads what serves a GGUF file: llama.cpp, the weights, a context, and where its states go. */
import type { Llama, LlamaContext, LlamaModel as NativeModel } from 'node-llama-cpp';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { type Device, declaredDevice } from './device.ts';
import { hashModelFile, inspectModelFile, type ModelFile } from './gguf-file.ts';
import { survivesLoading } from './load-probe.ts';
import type { ModelInfo } from './model-port.ts';
import { Speculation, type SpeculationKind } from './speculation.ts';
import { StateFiles } from './state-files.ts';

type LlamaModule = typeof import('node-llama-cpp');

/** A second thread costs a smaller model more than it brings. */
const singleThreadParametersMax = 50_000_000;

export interface ContextTokens {
  readonly start?: number | undefined;
  readonly max?: number | undefined;
}

export interface LlamaModelSettings {
  readonly file: string;
  /** The file came with the package; any other one is loaded in a process of its own first. */
  readonly trusted: boolean;
  /** Where it is worked with; 'auto' uses a GPU when there is one. */
  readonly device: Device;
  /** Marks the model as understanding the bundled prompt formats only. */
  readonly demonstration?: boolean;
  /** Processor cores of the machine, at least 1. */
  readonly cores: number;
  /** Contexts that are held at once, 1 unless given; each has a window of its own in memory. */
  readonly sequences?: number;
  /** Tokens of a window at the beginning, and at most; limits.contextTokensStart and contextTokensDefault without it. */
  readonly contextTokens?: ContextTokens | undefined;
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
  /** Opens another context of the same kind with a window of so many tokens. */
  readonly openContext: (tokens: number) => Promise<LlamaContext>;
  readonly contextTokensMax: number;
  readonly file: ModelFile;
  readonly deterministic: boolean;
  readonly states: StateFiles | null;
  readonly speculation: Speculation;
  readonly draft: Pick<ModelInMemory, 'model' | 'context'> | null;
}

type ModelInMemory = Pick<LlamaParts, 'model' | 'context' | 'openContext' | 'contextTokensMax'>;

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
  const llama = await startLlama(module, settings);
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
      contextTokens: parts.contextTokensMax,
      device: llama.gpu === false ? 'cpu' : 'gpu',
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

/** @throws RuntimeError NATIVE_PACKAGE_MISSING, DEVICE_UNAVAILABLE */
async function startLlama(
  module: LlamaModule,
  { device, file }: Pick<LlamaModelSettings, 'device' | 'file'>,
): Promise<Llama> {
  const llama = await getLlama(module, device !== 'cpu');
  if (declaredDevice(device) !== 'gpu' || llama.gpu !== false) return llama;
  await llama.dispose();
  throw new RuntimeError(
    'DEVICE_UNAVAILABLE',
    `The model file ${file} is pinned to ${device}, and llama.cpp finds no GPU here; install its driver, or say device: auto.`,
    { details: { path: file } },
  );
}

async function getLlama(module: LlamaModule, gpu: boolean): Promise<Llama> {
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
  const { cores, sequences, contextTokens } = settings;
  // What the other model has in its window it must have too.
  const max = contextTokens?.max ?? limits.contextTokensDefault;
  return loadModel(llama, file, { cores, sequences, contextTokens: { start: max, max } });
}

async function loadModel(
  llama: Llama,
  file: ModelFile,
  {
    cores,
    sequences = 1,
    contextTokens = {},
  }: {
    readonly cores: number;
    readonly sequences?: number | undefined;
    readonly contextTokens?: ContextTokens | undefined;
  },
): Promise<ModelInMemory> {
  const model = await llama.loadModel({ modelPath: file.path });
  const isSmall = file.parameters < singleThreadParametersMax;
  const threads = isSmall ? 1 : Math.max(1, cores - 1);
  const openContext = (tokens: number) =>
    model.createContext({
      contextSize: { max: tokens },
      sequences,
      threads,
      // On a processor it halves the time to read a long prompt of a small model, and costs more than
      // twice as much for each token and short turn on top of one.
      flashAttention: isSmall && llama.gpu === false ? false : 'auto',
    });
  const { start, max } = windowOf(model.trainContextSize, contextTokens);
  return { model, context: await openContext(start), openContext, contextTokensMax: max };
}

/** Tokens of the window of a model at the beginning and at most. */
export function windowOf(
  trainedTokens: number,
  { start = limits.contextTokensStart, max = limits.contextTokensDefault }: ContextTokens,
): { readonly start: number; readonly max: number } {
  const most = Math.min(trainedTokens, max);
  return { start: Math.min(start, most), max: most };
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? message;
}
