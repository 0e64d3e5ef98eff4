/** Whether a copied value stands in a text as it is, not as a piece of something longer. Pure. */

function escaped(value: string): string {
  return value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+');
}

/**
 * True when `value` occurs in `text` and is not cut out of a longer word or
 * figure: `€1701` does not occur in `€1701.13`, nor `Ann` in `Anna`.
 */
export function occursWhole(text: string, value: string): boolean {
  const trimmed = value.trim();
  if (trimmed === '') return false;
  const pattern = `(?<![\\p{L}\\p{N}]|[\\p{N}][.,:/-])${escaped(trimmed)}(?![\\p{L}\\p{N}]|[.,:/-]\\p{N})`;
  return new RegExp(pattern, 'u').test(text);
}

/** The value without the full stop or comma that ended its sentence. */
export function withoutStop(value: string): string {
  return value.trim().replace(/[.,;:]+$/, '');
}

/** Words of a text in lower case, without punctuation. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
