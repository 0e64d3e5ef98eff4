/**
 * A GGUF model served by llama.cpp inside this thread.
 *
 * Invariants
 *   L1. With one sequence generations come one at a time, each on a cleared
 *       sequence: the same request gives the same tokens, whatever ran before. With
 *       several, as many are evaluated in one batch, and what a sequence still holds of
 *       a prompt is not read again; then values differ in their last bits.
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
import { GrammarCache } from './llama-grammar.ts';
import { createPromptRenderer, type RenderedPrompt } from './llama-prompt.ts';
import { survivesLoading } from './load-probe.ts';
import {
  type GenerateOptions,
  type GenerationOutcome,
  type GenerationRequest,
  type ModelInfo,
  type ModelPort,
  refuseOtherModel,
} from './model-port.ts';
import { SequencePool } from './sequence-pool.ts';
import { abortedError, TimeLimit } from './time-limit.ts';
import { TokenTextDecoder } from './token-text.ts';
import { TurnQueue } from './turn-queue.ts';

type LlamaModule = typeof import('node-llama-cpp');

/** Prompt tokens evaluated between two looks at the clock. */
const promptPieceTokens = 512;
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
  /** Generations at once, 1 unless given; each has a context window of its own in memory. */
  readonly sequences?: number;
}

interface LoadedParts {
  readonly module: LlamaModule;
  readonly llama: Llama;
  readonly model: NativeModel;
  readonly context: LlamaContext;
  readonly file: ModelFile;
}

export class LlamaModel implements ModelPort {
  readonly info: ModelInfo;
  readonly #parts: LoadedParts;
  readonly #sequences: SequencePool<Token, LlamaContextSequence>;
  readonly #render: ReturnType<typeof createPromptRenderer>;
  readonly #grammars: GrammarCache;
  readonly #turns: TurnQueue;
  readonly #closing = new AbortController();

  /** Use {@link openLlamaModel}. */
  constructor(parts: LoadedParts, info: ModelInfo) {
    this.info = info;
    this.#parts = parts;
    const count = parts.context.totalSequences;
    this.#sequences = new SequencePool(
      Array.from({ length: count }, () => parts.context.getSequence()),
    );
    this.#turns = new TurnQueue(count);
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
    return this.#turns.run(work, { key: options.queueKey, signal });
  }

  async close(): Promise<void> {
    const first = !this.#closing.signal.aborted;
    this.#closing.abort();
    await this.#turns.idle(); // (L3)
    if (!first) return;
    await this.#parts.context.dispose();
    await this.#parts.model.dispose();
    await this.#parts.llama.dispose();
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
    const finish = await this.#sequences.with(prompt.tokens, async ({ sequence, held }) => {
      const last = await readPrompt(sequence, prompt.tokens.slice(held), time);
      const tokens = sequence.evaluateWithMetadata(
        last,
        { confidence: true },
        {
          temperature: request.temperature,
          seed: request.seed,
          // No truncation: a confidence is a probability among all allowed tokens.
          topK: 0,
          topP: 1,
          minP: 0,
          yieldEogToken: true,
          ...(grammar === null
            ? {}
            : {
                grammarEvaluationState: new module.LlamaGrammarEvaluationState({ model, grammar }),
              }),
        },
      );
      return this.#record(tokens, { recorder, prompt, time, constrained: grammar !== null });
    });
    return recorder.outcome(finish, prompt.tokens.length);
  }

  async #record(
    generated: AsyncIterable<{ token: Token; confidence: number }>,
    turn: {
      recorder: AnswerRecorder;
      prompt: RenderedPrompt;
      time: TimeLimit;
      constrained: boolean;
    },
  ): Promise<GenerationOutcome['finish']> {
    const { model } = this.#parts;
    const { recorder, prompt, time } = turn;
    const decoder = new TokenTextDecoder<Token>((tokens, preceding) =>
      model.detokenize(tokens, false, preceding),
    );
    for await (const { token, confidence } of generated) {
      time.check(); // (L2)
      const ended = model.isEogToken(token) || prompt.stopTokens.has(token);
      const finish = recorder.push({
        text: ended ? '' : decoder.push(token),
        confidence,
        forced: turn.constrained && confidence === 1,
        entropy: null,
        margin: null,
      });
      if (finish === 'halted' || finish === 'schema') return finish;
      if (ended || prompt.stopTexts.some((text) => recorder.cutAt(text))) return 'stop';
      if (finish !== null) return finish;
    }
    return 'stop';
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

/** Evaluates all but the last piece of a prompt, and answers that piece. */
async function readPrompt(
  sequence: LlamaContextSequence,
  tokens: readonly Token[],
  time: TimeLimit,
): Promise<Token[]> {
  let from = 0;
  while (tokens.length - from > promptPieceTokens) {
    await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(from, from + promptPieceTokens));
    from += promptPieceTokens;
    time.check(); // (L2)
  }
  return tokens.slice(from);
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
    const parts = { module, llama, file, ...(await loadModel(llama, file, settings)) };
    return new LlamaModel(parts, {
      name: file.name,
      backend: 'llama.cpp',
      sha256: await hash,
      contextTokens: parts.context.contextSize,
      demonstration: settings.demonstration ?? false,
      capabilities: { confidence: true, schema: true, seed: true },
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
