/**
 * Text of tokens as they arrive. A token may hold only some bytes of a
 * character; its text waits until the character is whole, so that pieces join
 * to exactly the text of all tokens together.
 */

/** Bytes of a character that is not yet complete decode to this. */
const incomplete = '\uFFFD';
/** A character of UTF-8 has at most 4 bytes, so at most this many tokens wait. */
const waitingTokensMax = 4;
/** Tokens before that some tokenizers need to place spaces. */
const precedingTokensMax = 8;

/** Decodes tokens; `preceding` stand before them in the same text. */
export type Detokenize<Token> = (tokens: readonly Token[], preceding: readonly Token[]) => string;

export class TokenTextDecoder<Token> {
  readonly #detokenize: Detokenize<Token>;
  #waiting: Token[] = [];
  #preceding: Token[] = [];

  constructor(detokenize: Detokenize<Token>) {
    this.#detokenize = detokenize;
  }

  /** @returns the characters that this token completes, '' while one is incomplete. */
  push(token: Token): string {
    this.#waiting.push(token);
    const text = this.#detokenize(this.#waiting, this.#preceding);
    if (text.endsWith(incomplete) && this.#waiting.length < waitingTokensMax) return '';
    this.#preceding = [...this.#preceding, ...this.#waiting].slice(-precedingTokensMax);
    this.#waiting = [];
    return text;
  }
}

/** What to call a token to people. The one that ends a turn has no text. */
export function nameOf(text: string): string {
  if (text === '') return 'the end of the answer';
  const shown = text.replace(/\s+/g, ' ').trim();
  return /[\p{L}\p{N}]/u.test(shown) ? `"${shown}"` : 'a space or mark';
}
