/**
 * Texts as hashed n-grams: what two sentences have in common as far as their
 * words tell. Lexical alone: the same thought in other words has none of it in common.
 */

const offsetBasis = 0x81_1c_9d_c5;
const prime = 0x01_00_01_93;

/** FNV-1a of 32 bits. Two texts may share one, rarely. */
export function gramHash(text: string): number {
  let hash = offsetBasis;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), prime);
  }
  return hash >>> 0;
}

/** The words of a text in lower case; every number reads alike. */
export function plainWords(text: string): string[] {
  const words = text.toLowerCase().match(/\d+(?:[.,:/-]\d+)*|\p{L}+/gu) ?? [];
  return words.map((word) => (/^\d/.test(word) ? '#' : word));
}

/** Hashes of the words and of each two that follow each other. */
export function wordGrams(words: readonly string[]): ReadonlySet<number> {
  const pairs = words.slice(1).map((word, index) => `${words[index]} ${word}`);
  return new Set([...words, ...pairs].map(gramHash));
}

/** Share of what two have in common, 0 to 1 (Dice). */
export function likeness(one: ReadonlySet<number>, other: ReadonlySet<number>): number {
  if (one.size + other.size === 0) return 0;
  let shared = 0;
  for (const gram of one) if (other.has(gram)) shared += 1;
  return (2 * shared) / (one.size + other.size);
}
