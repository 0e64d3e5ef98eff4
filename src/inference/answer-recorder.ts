/**
 * Collects the tokens of one answer, whichever backend makes them, and says
 * when the answer is over: a detector fires, the JSON value is complete, or
 * the token limit is reached. A backend that can take tokens back may rewind it.
 */
import { assert } from '../kernel/assert.ts';
import { type Detected, DetectorRun } from './detector-run.ts';
import { JsonEndScanner } from './json-end.ts';
import type {
  Correction,
  DetectorHalt,
  GeneratedToken,
  GenerationOutcome,
  GenerationRequest,
  Intervention,
} from './model-port.ts';

type Finish = GenerationOutcome['finish'];

const nothing: Detected = { halt: null, goodTokens: 0, stirs: false };
/** Seeds are unsigned 32-bit numbers; this one is odd, so that each correction has another. */
const seedStep = 0x9e37_79b9;

export class AnswerRecorder {
  readonly #maxTokens: number;
  readonly #seed: number;
  readonly #correction: Correction | null;
  readonly #onToken: ((token: GeneratedToken, place: number) => void) | undefined;
  readonly #detectors: DetectorRun;
  readonly #isJson: boolean;
  readonly #tokens: GeneratedToken[] = [];
  readonly #interventions: Intervention[] = [];
  #jsonEnd: JsonEndScanner | null = null;
  #text = '';
  #detected = nothing;

  constructor(
    request: GenerationRequest,
    onToken?: (token: GeneratedToken, place: number) => void,
  ) {
    this.#maxTokens = request.maxTokens;
    this.#seed = request.seed;
    this.#correction = request.correction ?? null;
    this.#onToken = onToken;
    this.#detectors = new DetectorRun(request.detectors, request.schema !== null);
    this.#isJson = request.schema !== null;
    if (this.#isJson) this.#jsonEnd = new JsonEndScanner();
  }

  get tokenCount(): number {
    return this.#tokens.length;
  }

  /** Something begins that is worth a closer look. */
  get stirs(): boolean {
    return this.#detected.stirs;
  }

  /** A detector that fires may still have tokens taken back. */
  get mayCorrect(): boolean {
    return this.#interventions.length < (this.#correction?.times ?? 0);
  }

  /** @returns how the answer ends with this token, or null while it goes on. */
  push(token: GeneratedToken): Finish | null {
    const end = this.#jsonEnd?.push(token.text) ?? -1;
    const kept = end < 0 ? token : { ...token, text: token.text.slice(0, end) };
    this.#tokens.push(kept);
    this.#text += kept.text;
    this.#onToken?.(kept, this.#tokens.length - 1);
    this.#detected = this.#detectors.take(kept);
    if (this.#detected.halt !== null) return 'halted';
    if (end >= 0) return 'schema';
    return this.#tokens.length >= this.#maxTokens ? 'length' : null;
  }

  /**
   * Takes back what the detector that fired no longer finds good.
   * @param reach Tokens at the start that cannot be taken back.
   * @returns what was done, or null when the halt stands.
   */
  correct(reach = 0): Intervention | null {
    const { halt, goodTokens } = this.#detected;
    const correction = this.#correction;
    if (halt === null || correction === null || !this.mayCorrect) return null;
    if (goodTokens < reach) return null;
    const discarded = this.#tokens.slice(goodTokens);
    assert(discarded.length > 0, 'the token that a detector halts at is not good');
    this.#rewind(goodTokens);
    const intervention: Intervention = {
      ...halt,
      goodTokens,
      discarded: discarded.map(({ text }) => text).join(''),
      discardedTokens: discarded.length,
      temperature: correction.temperature,
      seed: (this.#seed + seedStep * (this.#interventions.length + 1)) >>> 0,
    };
    this.#interventions.push(intervention);
    return intervention;
  }

  #rewind(tokens: number): void {
    this.#tokens.length = tokens;
    this.#text = this.#tokens.map(({ text }) => text).join('');
    this.#detectors.rewind(tokens);
    this.#detected = { ...nothing, stirs: true };
    if (!this.#isJson) return;
    this.#jsonEnd = new JsonEndScanner();
    this.#jsonEnd.push(this.#text);
  }

  /**
   * Cuts the answer before `marker` when its text contains it: the end of a
   * turn that a model spells out as plain text.
   * @returns whether it was cut.
   */
  cutAt(marker: string): boolean {
    // Only the last tokens can have completed it.
    const from = Math.max(
      0,
      this.#text.length - marker.length - (this.#tokens.at(-1)?.text.length ?? 0),
    );
    const at = this.#text.indexOf(marker, from);
    if (at < 0) return false;
    let excess = this.#text.length - at;
    this.#text = this.#text.slice(0, at);
    for (let index = this.#tokens.length - 1; index >= 0 && excess > 0; index -= 1) {
      const token = this.#tokens[index];
      if (token === undefined) break;
      const kept = token.text.slice(0, Math.max(0, token.text.length - excess));
      excess -= token.text.length - kept.length;
      this.#tokens[index] = { ...token, text: kept };
    }
    return true;
  }

  outcome(
    finish: Finish,
    promptTokens: number,
    answerTokens = this.#tokens.length,
  ): GenerationOutcome {
    return {
      status: finish === 'halted' ? 'halted' : 'completed',
      text: this.#text,
      finish,
      tokens: this.#tokens,
      minConfidence: minConfidence(this.#tokens),
      halt: finish === 'halted' ? this.#halt() : null,
      ...(this.#interventions.length === 0 ? {} : { interventions: this.#interventions }),
      usage: { promptTokens, answerTokens },
    };
  }

  #halt(): DetectorHalt {
    const { halt } = this.#detected;
    assert(halt !== null, 'a detector halted the answer');
    return halt;
  }
}

function minConfidence(tokens: readonly GeneratedToken[]): number | null {
  let least: number | null = null;
  for (const { confidence } of tokens) {
    // A forced token reads 1 and so never lowers the minimum (M3).
    if (confidence !== null) least = Math.min(least ?? 1, confidence);
  }
  return least;
}
