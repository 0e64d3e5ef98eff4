import type { GeneratedToken } from '../../src/inference/model-port.ts';

/** A token; unless said free, and of entropy and margin nobody looked at. */
export function made(text: string, changes: Partial<GeneratedToken> = {}): GeneratedToken {
  return { text, confidence: 0.99, forced: false, entropy: null, margin: null, ...changes };
}

/** Words as tokens, each with the space behind it. */
export function madeWords(text: string, changes: Partial<GeneratedToken> = {}): GeneratedToken[] {
  return text.split(/(?<= )/).map((word) => made(word, changes));
}

/** Tokens of these probabilities. */
export function madeOf(...confidences: (number | null)[]): GeneratedToken[] {
  return confidences.map((confidence, index) => made(`w${index} `, { confidence }));
}
