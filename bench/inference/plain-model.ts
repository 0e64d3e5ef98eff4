/**
 * A model through node-llama-cpp alone: `sequence.evaluate` without
 * confidences, the answer decoded at its end.
 */
import {
  getLlama,
  type Llama,
  type LlamaContextSequence,
  type LlamaGrammar,
  LlamaGrammarEvaluationState,
  LlamaLogLevel,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp';
import type { ChatMessage } from '../../src/inference/model-port.ts';
import { embeddedModelFile } from './models.ts';
import { maxTokens } from './prompts.ts';

const contextTokens = 2_048;

export interface PlainAnswer {
  readonly text: string;
  readonly tokens: number;
}

export class PlainModel {
  readonly llama: Llama;
  readonly sequences: readonly LlamaContextSequence[];
  readonly #native: LlamaModel;

  static async open({
    file = embeddedModelFile,
    threads = 1,
    sequences = 1,
    flashAttention = false,
  }: {
    file?: string;
    threads?: number;
    sequences?: number;
    /** As the port has it for a small model on a processor. */
    flashAttention?: boolean | 'auto';
  } = {}): Promise<PlainModel> {
    const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error });
    const native = await llama.loadModel({ modelPath: file });
    const context = await native.createContext({
      contextSize: contextTokens,
      sequences,
      threads,
      flashAttention,
    });
    const all = Array.from({ length: sequences }, () => context.getSequence());
    return new PlainModel(llama, native, all);
  }

  private constructor(
    llama: Llama,
    native: LlamaModel,
    sequences: readonly LlamaContextSequence[],
  ) {
    this.llama = llama;
    this.#native = native;
    this.sequences = sequences;
  }

  /** @param limit Tokens after which it is over. */
  async generate(
    messages: readonly ChatMessage[],
    {
      sequence = this.sequences[0],
      grammar = null,
      limit = maxTokens,
      pieceTokens = Number.POSITIVE_INFINITY,
    }: {
      sequence?: LlamaContextSequence;
      grammar?: LlamaGrammar | null;
      limit?: number;
      /** The prompt is read in pieces of this length: how it is cut changes the last bits. */
      pieceTokens?: number;
    } = {},
  ): Promise<PlainAnswer> {
    if (sequence === undefined) throw new Error('the model has a sequence');
    await sequence.clearHistory();
    const answer: Token[] = [];
    const options =
      grammar === null
        ? {}
        : {
            grammarEvaluationState: new LlamaGrammarEvaluationState({
              model: this.#native,
              grammar,
            }),
          };
    const prompt = this.#render(messages);
    let from = 0;
    while (from + pieceTokens < prompt.length) {
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(from, from + pieceTokens));
      from += pieceTokens;
    }
    for await (const token of sequence.evaluate(prompt.slice(from), options)) {
      answer.push(token);
      if (answer.length >= limit) break;
    }
    // The end of the turn is a generated token too, though it is not yielded.
    const tokens = answer.length < limit ? answer.length + 1 : answer.length;
    return { text: this.#native.detokenize(answer), tokens };
  }

  /** ChatML by hand: special tokens around the turns, never inside the texts. */
  #render(messages: readonly ChatMessage[]): Token[] {
    const native = this.#native;
    const turns = messages.flatMap(({ role, content }) => [
      ...native.tokenize(`<|im_start|>${role}\n`, true),
      ...native.tokenize(content),
      ...native.tokenize('<|im_end|>\n', true),
    ]);
    return [...turns, ...native.tokenize('<|im_start|>assistant\n', true)];
  }

  close(): Promise<void> {
    return this.llama.dispose();
  }
}
