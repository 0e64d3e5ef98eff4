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
 *   L3. Nothing of llama.cpp is freed while a generation runs, or what was kept is forgotten.
 */
import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp';
import { RuntimeError } from '../kernel/errors.ts';
import { AnswerRecorder } from './answer-recorder.ts';
import { GrowingContext } from './growing-context.ts';
import { type AnswerParts, LlamaAnswer } from './llama-answer.ts';
import { GrammarCache } from './llama-grammar.ts';
import { createPromptRenderer } from './llama-prompt.ts';
import { type LlamaModelSettings, type LlamaParts, loadLlama } from './load-llama.ts';
import {
  type GenerateOptions,
  type GenerationOutcome,
  type GenerationRequest,
  type ModelInfo,
  type ModelPort,
  type ModelUsage,
  refuseOtherModel,
  refuseOtherParts,
} from './model-port.ts';
import { anyReuse, type ReusePolicy, wholePieces } from './reuse-policy.ts';
import { SequencePool } from './sequence-pool.ts';
import { abortedError, TimeLimit } from './time-limit.ts';
import { TurnQueue } from './turn-queue.ts';

const evaluationPriorities = { high: 5, normal: 3, low: 1 } as const;

export class LlamaModel implements ModelPort {
  readonly #info: ModelInfo;
  readonly #parts: LlamaParts;
  readonly #context: GrowingContext;
  readonly #sequences: SequencePool<Token, LlamaContextSequence>;
  readonly #policy: ReusePolicy;
  readonly #render: ReturnType<typeof createPromptRenderer>;
  readonly #grammars: GrammarCache;
  readonly #turns: TurnQueue;
  readonly #closing = new AbortController();

  /** Use {@link openLlamaModel}. */
  constructor(parts: LlamaParts, info: ModelInfo) {
    this.#info = info;
    this.#parts = parts;
    const count = parts.context.totalSequences;
    const sequencesOf = sequencesFor(parts, count);
    this.#policy = parts.deterministic ? wholePieces : anyReuse;
    this.#sequences = new SequencePool<Token, LlamaContextSequence>(
      sequencesOf(parts.context),
      this.#policy,
      parts.states,
    );
    const { context, openContext: open, contextTokensMax: tokensMax } = parts;
    this.#context = new GrowingContext({
      context,
      tokensMax,
      open,
      sequencesOf,
      pool: this.#sequences,
    });
    this.#turns = new TurnQueue(parts.deterministic ? 1 : count); // (L1)
    this.#render = createPromptRenderer(parts.module, parts.model, parts.file);
    this.#grammars = new GrammarCache(parts.llama);
  }

  get info(): ModelInfo {
    return { ...this.#info, contextTokens: this.#context.window.tokensMax };
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
    const { llama, model, states } = this.#parts;
    const { used } = await llama.getVramState();
    return {
      ...this.#sequences.usage,
      speculation: this.#parts.speculation.usage,
      files: states?.usage ?? { files: 0, bytes: 0, refused: 0 },
      window: this.#context.window,
      memory: { weights: model.size, contexts: this.#context.stateSize, vram: used },
    };
  }

  async forget(queueKey: string): Promise<void> {
    await this.#sequences.forget(queueKey);
  }

  async close(): Promise<void> {
    const first = !this.#closing.signal.aborted;
    this.#closing.abort();
    await this.#turns.idle(); // (L3)
    await this.#sequences.close(); // (L3)
    if (!first) return;
    await this.#context.dispose();
    await this.#parts.draft?.context.dispose();
    await this.#parts.draft?.model.dispose();
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
    refuseOtherParts(request.messages, this.info);
    const prompt = this.#render(request.messages);
    const promptTokens = prompt.tokens.length;
    this.#roomFor(promptTokens, this.#context.window.tokensMax);
    const grammar =
      request.schema === null ? null : await this.#grammars.grammarFor(request.schema);
    time.check();
    const needed = promptTokens + request.maxTokens;
    return this.#context.with(needed, time, async (growth) => {
      const outcome = await this.#answer(request, options, { prompt, grammar, time });
      return growth === null ? outcome : { ...outcome, grown: growth };
    });
  }

  async #answer(
    request: GenerationRequest,
    options: GenerateOptions,
    { prompt, grammar, time }: Pick<AnswerParts, 'prompt' | 'grammar' | 'time'>,
  ): Promise<GenerationOutcome> {
    const room = this.#roomFor(prompt.tokens.length, this.#context.window.tokens);
    const maxTokens = Math.min(request.maxTokens, room);
    const recorder = new AnswerRecorder({ ...request, maxTokens }, options.onToken);
    const { module, model } = this.#parts;
    const use = { parks: options.parks, owner: options.queueKey };
    const finish = await this.#sequences.with(prompt.tokens, use, async (taken) => {
      const guesses = this.#parts.speculation.begin(taken.sequence, {
        prompt: prompt.tokens,
        constrained: grammar !== null,
      });
      const parts: AnswerParts = {
        module,
        model,
        taken,
        prompt,
        grammar,
        recorder,
        time,
        guesses,
        pieceTokens: this.#policy.pieceTokens,
        shares: this.#parts.states !== null && !this.#parts.deterministic,
        temperature: request.temperature,
        seed: request.seed,
        evaluationPriority: evaluationPriorities[options.priority ?? 'normal'],
      };
      const answer = new LlamaAnswer(parts, this.#parts.file.vocabularySize);
      const finish = await answer.make();
      const { tokens, ms } = answer.sampled;
      this.#parts.speculation.end({ guessed: guesses, tokens, ms });
      return finish;
    });
    return recorder.outcome(finish, prompt.tokens.length);
  }

  /** Tokens that an answer may have. @throws RuntimeError CONTEXT_TOO_LONG */
  #roomFor(promptTokens: number, contextTokens: number): number {
    if (promptTokens < contextTokens) return contextTokens - promptTokens;
    throw new RuntimeError(
      'CONTEXT_TOO_LONG',
      `The prompt has ${promptTokens} tokens and the context window of the model ${contextTokens}; split the document or use a model with a larger window.`,
      { details: { promptTokens, contextTokens } },
    );
  }
}

/** The sequences of each context that comes. Those of the draft model stay the same. */
function sequencesFor(
  { module, speculation, draft }: LlamaParts,
  count: number,
): (context: LlamaContext) => LlamaContextSequence[] {
  const drafts = Array.from({ length: count }, () => draft?.context.getSequence() ?? null);
  return (context) => {
    speculation.forgetSequences();
    return drafts.map((draftSequence) => speculation.sequence(module, context, draftSequence));
  };
}

/**
 * Loads a model file.
 * @throws RuntimeError MODEL_NOT_FOUND, MODEL_INVALID, NATIVE_PACKAGE_MISSING.
 */
export async function openLlamaModel(settings: LlamaModelSettings): Promise<LlamaModel> {
  const { parts, info } = await loadLlama(settings);
  return new LlamaModel(parts, info);
}
