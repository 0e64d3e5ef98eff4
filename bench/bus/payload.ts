/** Payloads of the bus benchmark: every word depends on the message's number, and the sums must agree. */

/** Long payloads are stamped and summed once for each cache line. */
const strideWords = 16;
/** Up to this length every word is stamped and summed. */
const denseWordsMax = 64;

function stride(words: number): number {
  return words <= denseWordsMax ? 1 : strideWords;
}

/** Writes the payload of message `number` and returns its sum. */
export function stamp(words: Int32Array, range: PayloadRange, number: number): number {
  const step = stride(range.words);
  let sum = 0;
  for (let index = 0; index < range.words; index += step) {
    const word = Math.imul(number + index, 0x9e3779b1) | 0;
    words[range.first + index] = word;
    sum = (sum + word) | 0;
  }
  return sum;
}

/** Sum of the words that `stamp` wrote. */
export function sumOf(words: Int32Array, range: PayloadRange): number {
  const step = stride(range.words);
  let sum = 0;
  for (let index = 0; index < range.words; index += step) {
    sum = (sum + (words[range.first + index] ?? 0)) | 0;
  }
  return sum;
}

/** A payload inside a larger array of 32-bit words. */
interface PayloadRange {
  readonly first: number;
  readonly words: number;
}

/** An object such as threads really exchange, about 240 bytes encoded. */
export function objectPayload(number: number): Record<string, unknown> {
  return {
    type: 'outcome',
    key: `0193e5a0-7c1e-7000-8000-000000000000:run/item-${number % 100}/extract:${number}:0`,
    number,
    event: {
      type: 'answered',
      text: 'The invoice of the fourth of May is due within thirty days.',
      confidence: 0.875,
      usage: { promptTokens: 212, answerTokens: 48 },
      flags: [true, false, null],
    },
  };
}
