/**
 * A GGUF model served by llama.cpp inside this thread.
 *
 * Invariants
 *   L1. In deterministic mode generations come one at a time, and a prompt is cut in the
 *       same places whatever a sequence still holds of it: the same request gives the same
 *       tokens. Otherwise as many as there are sequences are evaluated in one batch, and
 *       values differ in their last bits.
 *   L2. A stop (abort, time limit, close) takes effect between two tokens or
 *       two pieces of a prompt; llama.cpp is never interrupted inside a call.
 *   L3. Nothing of llama.cpp is freed while a generation runs.
 */
import type {
  Llama,
  LlamaContext,
  LlamaContextSequence,
  LlamaModel as NativeModel,
  Token,
} from 'node-llama-cpp';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { AnswerRecorder } from './answer-recorder.ts';
import { hashModelFile, inspectModelFile, type ModelFile } from './gguf-file.ts';
import { type AnswerParts, LlamaAnswer } from './llama-answer.ts';
import { GrammarCache } from './llama-grammar.ts';
import { createPromptRenderer } from './llama-prompt.ts';
import { survivesLoading } from './load-probe.ts';
import {
  type GenerateOptions,
  type GenerationOutcome,
  type GenerationRequest,
  type ModelInfo,
  type ModelPort,
  type ModelUsage,
  refuseOtherModel,
} from './model-port.ts';
import { anyReuse, type ReusePolicy, wholePieces } from './reuse-policy.ts';
import { SequencePool } from './sequence-pool.ts';
import { StateFiles } from './state-files.ts';
import { abortedError, TimeLimit } from './time-limit.ts';
import { TurnQueue } from './turn-queue.ts';

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
  /** One generation at a time, each with the same tokens whatever else is asked (L1). */
  readonly deterministic?: boolean;
  /** Folder for states that no sequence has room for; what is in it is removed. Without it they are read again. */
  readonly stateFolder?: string;
}

interface LoadedParts {
  readonly module: LlamaModule;
  readonly llama: Llama;
  readonly model: NativeModel;
  readonly context: LlamaContext;
  readonly file: ModelFile;
  readonly deterministic: boolean;
  readonly states: StateFiles | null;
}

const evaluationPriorities = { high: 5, normal: 3, low: 1 } as const;

export class LlamaModel implements ModelPort {
  readonly info: ModelInfo;
  readonly #parts: LoadedParts;
  readonly #sequences: SequencePool<Token, LlamaContextSequence>;
  readonly #policy: ReusePolicy;
  readonly #render: ReturnType<typeof createPromptRenderer>;
  readonly #grammars: GrammarCache;
  readonly #turns: TurnQueue;
  readonly #closing = new AbortController();

  /** Use {@link openLlamaModel}. */
  constructor(parts: LoadedParts, info: ModelInfo) {
    this.info = info;
    this.#parts = parts;
    const count = parts.context.totalSequences;
    const sequences = Array.from({ length: count }, () => parts.context.getSequence());
    this.#policy = parts.deterministic ? wholePieces : anyReuse;
    this.#sequences = new SequencePool<Token, LlamaContextSequence>(
      sequences,
      this.#policy,
      parts.states,
    );
    this.#turns = new TurnQueue(parts.deterministic ? 1 : count); // (L1)
    this.#render = createPromptRenderer(parts.module, parts.model, parts.file);
    this.#grammars = new GrammarCache(parts.llama);
  }

  async generate(
    request: GenerationRequest,
    options: GenerateOptions = {},
  ): Promise<GenerationOutcome> {
    const closing = this.#closing.signal;
    if (closing.aborted) throw abortedError();
    const signal = options.signal ? AbortSignal.any([options.signal, closing]) : closing;
    const work = async (): Promise<GenerationOutcome> => {
      const time = new TimeLimit(request.timeoutMs, signal);
      try {
        return await this.#generate(request, options, time);
      } finally {
        time.end();
      }
    };
    const { queueKey: key, priority } = options;
    return this.#turns.run(work, { key, signal, priority });
  }

  async usage(): Promise<ModelUsage> {
    const { llama, context, model, states } = this.#parts;
    const { used } = await llama.getVramState();
    return {
      ...this.#sequences.usage,
      files: states?.usage ?? { files: 0, bytes: 0, refused: 0 },
      memory: { weights: model.size, contexts: context.stateSize, vram: used },
    };
  }

  async forget(queueKey: string): Promise<void> {
    await this.#sequences.forget(queueKey);
  }

  async close(): Promise<void> {
    const first = !this.#closing.signal.aborted;
    this.#closing.abort();
    await this.#turns.idle(); // (L3)
    if (!first) return;
    await this.#parts.context.dispose();
    await this.#parts.model.dispose();
    await this.#parts.llama.dispose();
    this.#parts.states?.close();
  }

  async #generate(
    request: GenerationRequest,
    options: GenerateOptions,
    time: TimeLimit,
  ): Promise<GenerationOutcome> {
    refuseOtherModel(request.model, this.info);
    const prompt = this.#render(request.messages);
    const room = this.#parts.context.contextSize - prompt.tokens.length;
    if (room < 1) throw this.#tooLong(prompt.tokens.length);
    const grammar =
      request.schema === null ? null : await this.#grammars.grammarFor(request.schema);
    time.check();
    const maxTokens = Math.min(request.maxTokens, room);
    const recorder = new AnswerRecorder({ ...request, maxTokens }, options.onToken);
    const { module, model } = this.#parts;
    const use = { parks: options.parks, owner: options.queueKey };
    const finish = await this.#sequences.with(prompt.tokens, use, (taken) => {
      const parts: AnswerParts = {
        module,
        model,
        taken,
        prompt,
        grammar,
        recorder,
        time,
        pieceTokens: this.#policy.pieceTokens,
        shares: this.#parts.states !== null && !this.#parts.deterministic,
        temperature: request.temperature,
        seed: request.seed,
        evaluationPriority: evaluationPriorities[options.priority ?? 'normal'],
      };
      return new LlamaAnswer(parts, this.#parts.file.vocabularySize).make();
    });
    return recorder.outcome(finish, prompt.tokens.length);
  }

  #tooLong(promptTokens: number): RuntimeError {
    const contextTokens = this.#parts.context.contextSize;
    return new RuntimeError(
      'CONTEXT_TOO_LONG',
      `The prompt has ${promptTokens} tokens and the context window of the model ${contextTokens}; split the document or use a model with a larger window.`,
      { details: { promptTokens, contextTokens } },
    );
  }
}

/**
 * Loads a model file.
 * @throws RuntimeError MODEL_NOT_FOUND, MODEL_INVALID, NATIVE_PACKAGE_MISSING.
 */
export async function openLlamaModel(settings: LlamaModelSettings): Promise<LlamaModel> {
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
    const states = stateFolder === undefined ? null : new StateFiles(stateFolder);
    const parts = { module, llama, file, deterministic, states, ...loaded };
    return new LlamaModel(parts, {
      name: file.name,
      backend: 'llama.cpp',
      sha256: await hash,
      contextTokens: parts.context.contextSize,
      demonstration: settings.demonstration ?? false,
      capabilities: {
        confidence: true,
        schema: true,
        seed: true,
        rollback: true,
        deterministic,
      },
    });
  } catch (cause) {
    await hash.catch(() => null);
    await llama.dispose();
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

async function loadModel(
  llama: Llama,
  file: ModelFile,
  { cores, sequences = 1 }: Pick<LlamaModelSettings, 'cores' | 'sequences'>,
): Promise<{ model: NativeModel; context: LlamaContext }> {
  const model = await llama.loadModel({ modelPath: file.path });
  const threads = file.parameters < singleThreadParametersMax ? 1 : Math.max(1, cores - 1);
  const contextTokensMax = Math.min(model.trainContextSize, limits.contextTokensMax);
  const context = await model.createContext({
    contextSize: { max: contextTokensMax },
    sequences,
    threads,
  });
  return { model, context };
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? message;
}
