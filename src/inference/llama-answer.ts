/**
 * One answer of llama.cpp: reads the prompt, samples token by token, looks closely at
 * some of them, and takes back what a detector no longer finds good.
 *
 * Invariants
 *   A1. A stop takes effect between two tokens or two pieces of a prompt;
 *       llama.cpp is never interrupted inside a call.
 *   A2. Pieces of a prompt begin at multiples of their length.
 *   A3. Which tokens are looked at closely depends on the tokens alone, because the
 *       sampler begins anew where that changes.
 *   A4. What was taken back is in no value that follows: the sequence is cut there, and
 *       the grammar goes on as it was there.
 */
import type {
  LlamaContextSequence,
  LlamaGrammar,
  LlamaGrammarEvaluationState,
  LlamaModel as NativeModel,
  Token,
} from 'node-llama-cpp';
import { assert } from '../kernel/assert.ts';
import type { AnswerRecorder } from './answer-recorder.ts';
import { distributionShape } from './distribution-shape.ts';
import type { RenderedPrompt } from './llama-prompt.ts';
import type { GenerationOutcome } from './model-port.ts';
import type { TakenSequence } from './sequence-pool.ts';
import type { TimeLimit } from './time-limit.ts';
import { TokenTextDecoder } from './token-text.ts';

type LlamaModule = typeof import('node-llama-cpp');
type Finish = GenerationOutcome['finish'];

/** Every so many tokens one is looked at closely, at least. */
const closeTokensMin = 16;
/** A vocabulary so much larger makes a closer look so much dearer. */
const vocabularyPerToken = 256;
/** Tokens that are looked at closely once a detector stirs. */
const stirredTokens = 8;
/** Odd, so that each place has another seed. */
const seedStep = 0x9e37_79b9;
/** Where a last piece is this long, one more call for its last token costs little. */
const sharedTokensMin = 128;
/** States of a grammar that are kept to go back to. */
const grammarStatesMax = 128;

export interface AnswerParts {
  readonly module: LlamaModule;
  readonly model: NativeModel;
  readonly taken: TakenSequence<LlamaContextSequence>;
  readonly prompt: RenderedPrompt;
  readonly grammar: LlamaGrammar | null;
  readonly recorder: AnswerRecorder;
  readonly time: TimeLimit;
  readonly pieceTokens: number;
  /** Tokens are guessed ahead: none is looked at closely before a detector stirs, for that ends the guesses. */
  readonly guesses: boolean;
  /** A long prompt is read but for its last token before that, so that others can share what was read. */
  readonly shares: boolean;
  readonly temperature: number;
  readonly seed: number;
  /** 1 to 5: which sequences a batch takes first when it has not room for all. */
  readonly evaluationPriority: 1 | 3 | 5;
}

interface Sampled {
  readonly token: Token;
  readonly confidence: number;
  readonly probabilities?: Map<Token, number>;
}

export class LlamaAnswer {
  readonly #parts: AnswerParts;
  readonly #tokens: Token[] = [];
  /** Of a grammar: as it was before the token of that place (A4). */
  readonly #grammarStates = new Map<number, LlamaGrammarEvaluationState>();
  readonly #everyTokens: number;
  #grammarState: LlamaGrammarEvaluationState | null = null;
  #decoder: TokenTextDecoder<Token>;
  #temperature: number;
  #seed: number;
  #closeUntil = 0;
  #sampledTokens = 0;
  #firstAt = 0;

  constructor(parts: AnswerParts, vocabularySize: number) {
    this.#parts = parts;
    this.#temperature = parts.temperature;
    this.#seed = parts.seed;
    this.#everyTokens = Math.max(closeTokensMin, Math.ceil(vocabularySize / vocabularyPerToken));
    this.#decoder = this.#newDecoder();
  }

  /** Tokens that were sampled, those taken back too, and the time since the first of them. */
  get sampled(): { readonly tokens: number; readonly ms: number } {
    const tokens = Math.max(0, this.#sampledTokens - 1);
    return { tokens, ms: tokens === 0 ? 0 : performance.now() - this.#firstAt };
  }

  /** Makes the whole answer. @throws RuntimeError of the time limit. */
  async make(): Promise<Finish> {
    const { module, model, grammar } = this.#parts;
    if (grammar !== null) {
      this.#grammarState = new module.LlamaGrammarEvaluationState({ model, grammar });
    }
    let next = await this.#readPrompt();
    for (;;) {
      const finish = await this.#sample(next);
      const back = finish === 'halted' ? await this.#takeBack() : null;
      if (back === null) return finish;
      next = back;
    }
  }

  /** Evaluates all but the last piece of the prompt, and answers that piece. */
  async #readPrompt(): Promise<Token[]> {
    const { taken, prompt, pieceTokens, shares, time } = this.#parts;
    const { tokens } = prompt;
    let from = taken.held;
    let to = nextPiece(from, pieceTokens);
    while (to < tokens.length) {
      await taken.sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(from, to));
      time.check(); // (A1)
      from = to;
      to = nextPiece(from, pieceTokens); // (A2)
    }
    if (shares && tokens.length - from >= sharedTokensMin) {
      await taken.sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(from, -1));
      time.check(); // (A1)
      from = tokens.length - 1;
    }
    await taken.hasRead();
    return tokens.slice(from);
  }

  /** Samples until the answer is over or a detector fires. */
  async #sample(first: Token[]): Promise<Finish> {
    let next: Token[] | null = first;
    while (next !== null) {
      const close = this.#isClose();
      const sampling = this.#evaluate(next, close);
      next = null;
      for await (const sampled of sampling) {
        this.#parts.time.check(); // (A1)
        const finish = this.#take(sampled);
        if (finish !== null) return finish;
        next = [sampled.token];
        if (this.#isClose() !== close) break;
      }
    }
    return 'stop';
  }

  #evaluate(tokens: Token[], close: boolean): AsyncIterable<Sampled> {
    const { taken, evaluationPriority } = this.#parts;
    const place = this.#tokens.length;
    return taken.sequence.evaluateWithMetadata(
      tokens,
      { confidence: true, probabilities: close },
      {
        temperature: this.#temperature,
        // A new sampler would repeat the numbers of the one before.
        seed: (this.#seed + Math.imul(place, seedStep)) >>> 0,
        // No truncation: a confidence is a probability among all allowed tokens.
        topK: 0,
        topP: 1,
        minP: 0,
        yieldEogToken: true,
        evaluationPriority,
        ...(this.#grammarState === null ? {} : { grammarEvaluationState: this.#grammarState }),
      },
    ) as AsyncIterable<Sampled>;
  }

  /** (A3) */
  #isClose(): boolean {
    const place = this.#tokens.length;
    return place < this.#closeUntil || (!this.#parts.guesses && place % this.#everyTokens === 0);
  }

  #take({ token, confidence, probabilities }: Sampled): Finish | null {
    const { model, prompt, recorder } = this.#parts;
    if (this.#sampledTokens === 0) this.#firstAt = performance.now();
    this.#sampledTokens += 1;
    this.#tokens.push(token);
    this.#keepGrammarState();
    const ended = model.isEogToken(token) || prompt.stopTokens.has(token);
    const shape = probabilities === undefined ? null : distributionShape(probabilities.values());
    const finish = recorder.push({
      text: ended ? '' : this.#decoder.push(token),
      confidence,
      forced: this.#grammarState !== null && confidence === 1,
      entropy: shape?.entropy ?? null,
      margin: shape?.margin ?? null,
    });
    if (recorder.stirs) this.#closeUntil = this.#tokens.length + stirredTokens;
    if (finish === 'halted' || finish === 'schema') return finish;
    if (ended || prompt.stopTexts.some((text) => recorder.cutAt(text))) return 'stop';
    return finish;
  }

  #keepGrammarState(): void {
    const { module, recorder } = this.#parts;
    if (this.#grammarState === null || !recorder.mayCorrect) return;
    const place = this.#tokens.length;
    this.#grammarStates.set(place, new module.LlamaGrammarEvaluationState(this.#grammarState));
    this.#grammarStates.delete(place - grammarStatesMax);
  }

  /** Goes back to the last good token. @returns what to evaluate next; null when the halt stands. */
  async #takeBack(): Promise<Token[] | null> {
    const { taken, prompt, recorder, module, model, grammar } = this.#parts;
    const [oldest = 0] = this.#grammarStates.keys();
    const intervention = recorder.correct(grammar === null || oldest <= 1 ? 0 : oldest);
    if (intervention === null) return null;
    const { goodTokens, temperature, seed } = intervention;
    this.#tokens.length = goodTokens;
    this.#temperature = temperature;
    this.#seed = seed;
    this.#closeUntil = goodTokens + stirredTokens;
    this.#decoder = this.#newDecoder();
    for (const token of this.#tokens) this.#decoder.push(token);
    if (grammar !== null) {
      const state = this.#grammarStates.get(goodTokens);
      this.#grammarState =
        state === undefined
          ? new module.LlamaGrammarEvaluationState({ model, grammar })
          : new module.LlamaGrammarEvaluationState(state);
      for (const place of this.#grammarStates.keys()) {
        if (place > goodTokens) this.#grammarStates.delete(place);
      }
    }
    // The last token before is evaluated again: the next one is sampled from that.
    const last = this.#tokens.at(-1) ?? prompt.tokens.at(-1);
    assert(last !== undefined, 'a prompt has tokens');
    const start = prompt.tokens.length + goodTokens - 1;
    const end = taken.sequence.contextTokens.length;
    await taken.sequence.eraseContextTokenRanges([{ start, end }]); // (A4)
    return [last];
  }

  #newDecoder(): TokenTextDecoder<Token> {
    const { model } = this.#parts;
    return new TokenTextDecoder((tokens, preceding) => model.detokenize(tokens, false, preceding));
  }
}

function nextPiece(from: number, pieceTokens: number): number {
  return from - (from % pieceTokens) + pieceTokens;
}
