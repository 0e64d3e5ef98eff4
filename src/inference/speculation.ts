/**
 * Tokens guessed ahead and confirmed by the model in one batch (speculative decoding:
 * Leviathan et al., 2023), from the prompt itself (prompt lookup: Saxena, 2023) or
 * by a smaller model. What is sampled is what would have been sampled without, except where
 * two tokens are nearly as likely, for a batch rounds differently.
 *
 * Invariants
 *   S1. A generation guesses from its first token to its last or not at all, so that it is measured.
 */
import type { LlamaContext, LlamaContextSequence, Token, TokenPredictor } from 'node-llama-cpp';
import { type MeasuredGeneration, SpeculationGate } from './speculation-gate.ts';

type LlamaModule = typeof import('node-llama-cpp');
type ResetParameters = Parameters<TokenPredictor['reset']>[0];

/** Tokens guessed at once. */
const guessedTokensMax = 4;
/** Tokens that have to stand alike in the prompt before a guess. */
const patternTokensMin = 2;

/** 'off', from the prompt, or by the model of a draft file. */
export type SpeculationKind = 'off' | 'prompt-lookup' | 'draft';

export interface SpeculationUsage {
  readonly kind: SpeculationKind;
  /** It was the faster way when both were measured last. */
  readonly on: boolean;
  /** Guessed tokens, and those of them that the model confirmed. */
  readonly guessed: number;
  readonly confirmed: number;
  readonly perSecond: SpeculationGate['perSecond'];
}

/** A predictor that can be switched between generations. */
interface Switch {
  readonly predictor: TokenPredictor;
  on: boolean;
}

export class Speculation {
  readonly #kind: SpeculationKind;
  readonly #always: boolean;
  readonly #gate = new SpeculationGate();
  readonly #switches = new Map<LlamaContextSequence, Switch>();
  /** Of sequences that are gone. */
  #past = { guessed: 0, confirmed: 0 };

  /** @param always Guesses without measuring, to compare answers. */
  constructor(kind: SpeculationKind, always = false) {
    this.#kind = kind;
    this.#always = always;
  }

  get usage(): SpeculationUsage {
    const { guessed, confirmed } = this.#counts();
    const on = this.#always || this.#gate.isFaster;
    return { kind: this.#kind, on, guessed, confirmed, perSecond: this.#gate.perSecond };
  }

  /** The sequences are gone with their context; others will come. */
  forgetSequences(): void {
    this.#past = this.#counts();
    this.#switches.clear();
  }

  #counts(): { guessed: number; confirmed: number } {
    let { guessed, confirmed } = this.#past;
    for (const { tokenPredictions } of this.#switches.keys()) {
      guessed += tokenPredictions.validated + tokenPredictions.refuted;
      confirmed += tokenPredictions.validated;
    }
    return { guessed, confirmed };
  }

  /**
   * The next sequence of a context.
   * @param draft A sequence of the draft model, for that kind.
   */
  sequence(
    module: LlamaModule,
    context: LlamaContext,
    draft: LlamaContextSequence | null,
  ): LlamaContextSequence {
    if (this.#kind === 'off') return context.getSequence();
    const made = switchOf(
      module,
      draft === null
        ? new module.InputLookupTokenPredictor({
            patternLength: { min: patternTokensMin },
            predictionLength: { max: guessedTokensMax },
          })
        : new module.DraftSequenceTokenPredictor(draft, { maxTokens: guessedTokensMax }),
    );
    const sequence = context.getSequence({ tokenPredictor: made.predictor });
    this.#switches.set(sequence, made);
    return sequence;
  }

  /**
   * Begins a generation (S1). A draft model does not guess under a grammar, which
   * its predictor of the bindings loses at the first guess.
   * @returns whether it guesses.
   */
  begin(
    sequence: LlamaContextSequence,
    { prompt, constrained }: { prompt: readonly Token[]; constrained: boolean },
  ): boolean {
    const made = this.#switches.get(sequence);
    if (made === undefined) return false;
    const able = this.#kind !== 'draft' || !constrained;
    made.on = able && (this.#always || this.#gate.next());
    made.predictor.updateInputTokens([...prompt]);
    return made.on;
  }

  end(measured: MeasuredGeneration): void {
    if (this.#kind !== 'off') this.#gate.record(measured);
  }
}

function switchOf(module: LlamaModule, inner: TokenPredictor): Switch {
  const made = { on: false };
  const predictor = new (class extends module.TokenPredictor {
    override reset(parameters: ResetParameters): Promise<void> | void {
      return made.on ? inner.reset(parameters) : undefined;
    }

    override pushTokens(tokens: Token[]): void {
      if (made.on) inner.pushTokens(tokens);
    }

    override predictTokens(): Promise<Token[]> | Token[] {
      return made.on ? inner.predictTokens() : [];
    }

    override stop(untilPredictionsExhausted?: boolean): Promise<void> | void {
      return inner.stop(untilPredictionsExhausted);
    }

    override updateInputTokens(tokens: Token[]): void {
      inner.updateInputTokens(tokens);
    }

    override dispose(): Promise<void> | void {
      return inner.dispose();
    }
  })();
  return Object.assign(made, { predictor });
}
