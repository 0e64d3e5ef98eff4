/**
 * Collects the tokens of one answer, whichever backend makes them, and says
 * when the answer is over: a detector fires, the JSON value is complete, or
 * the token limit is reached.
 */
import { JsonEndScanner } from './json-end.ts';
import type {
  DetectorHalt,
  GeneratedToken,
  GenerationOutcome,
  GenerationRequest,
} from './model-port.ts';
import { DetectorRun } from './token-detector.ts';

type Finish = GenerationOutcome['finish'];

export class AnswerRecorder {
  readonly #maxTokens: number;
  readonly #onToken: ((token: GeneratedToken) => void) | undefined;
  readonly #detect: DetectorRun;
  readonly #jsonEnd: JsonEndScanner | null;
  readonly #tokens: GeneratedToken[] = [];
  #text = '';
  #halt: DetectorHalt | null = null;

  constructor(request: GenerationRequest, onToken?: (token: GeneratedToken) => void) {
    this.#maxTokens = request.maxTokens;
    this.#onToken = onToken;
    this.#detect = new DetectorRun(request.detectors);
    this.#jsonEnd = request.schema === null ? null : new JsonEndScanner();
  }

  get tokenCount(): number {
    return this.#tokens.length;
  }

  /** @returns how the answer ends with this token, or null while it goes on. */
  push(token: GeneratedToken): Finish | null {
    const end = this.#jsonEnd?.push(token.text) ?? -1;
    const kept = end < 0 ? token : { ...token, text: token.text.slice(0, end) };
    this.#tokens.push(kept);
    this.#text += kept.text;
    this.#onToken?.(kept);
    this.#halt = this.#detect.take(kept).halt;
    if (this.#halt !== null) return 'halted';
    if (end >= 0) return 'schema';
    return this.#tokens.length >= this.#maxTokens ? 'length' : null;
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
      halt: this.#halt,
      usage: { promptTokens, answerTokens },
    };
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
