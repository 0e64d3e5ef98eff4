/**
 * What a generation may take over of the tokens that a sequence holds. Both
 * policies answer the same; only one of them answers with the same last bits.
 */

/** What a sequence holds, or a file. */
export interface SequenceState<Token> {
  readonly tokens: readonly Token[];
  /** Tokens at its start that were read as pieces of a prompt; those after them were sampled one by one. */
  readonly read: number;
}

export interface ReusePolicy {
  /** Tokens of a prompt that are evaluated at once. */
  readonly pieceTokens: number;
  /** How many tokens at the start of a prompt need not be read; less than all of them. */
  usable<Token>(state: SequenceState<Token>, prompt: readonly Token[]): number;
}

/** Whatever is the same. How it was cut into batches changes the last bits of what follows. */
export const anyReuse: ReusePolicy = {
  pieceTokens: 512,
  usable({ tokens }, prompt) {
    return Math.min(sharedLength(tokens, prompt), prompt.length - 1);
  },
};

/**
 * Whole pieces, each of which begins at a multiple of its length: so a prompt is cut in the same
 * places whether or not some of it is held, and its values are the same to the last bit.
 */
export const wholePieces: ReusePolicy = {
  pieceTokens: 128,
  usable({ tokens, read }, prompt) {
    const shared = Math.min(sharedLength(tokens, prompt), read, prompt.length - 1);
    return shared - (shared % wholePieces.pieceTokens);
  },
};

function sharedLength<Token>(one: readonly Token[], other: readonly Token[]): number {
  const most = Math.min(one.length, other.length);
  for (let index = 0; index < most; index += 1) if (one[index] !== other[index]) return index;
  return most;
}
