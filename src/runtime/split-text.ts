/**
 * Splits a text into parts of bounded length at the best border there is:
 * paragraphs, else sentences, else words, else anywhere but inside a character.
 *
 * Invariants
 *   S1. No part is longer than the bound or blank.
 *   S2. The parts in order are the text; only white space at their borders is dropped.
 */
import { assert } from '../kernel/assert.ts';

/** Borders from the best to the worst; each match is white space that may be dropped. */
const borders: readonly RegExp[] = [
  /\r?\n[^\S\n]*\r?\n\s*/g,
  /(?<=[.!?…]["'”’)\]]?)\s+(?=\S)|\r?\n\s*/g,
  /\s+/g,
];

/**
 * Parts of at most `charactersMax` UTF-16 units, at least one.
 * @param charactersMax At least 2, so that a surrogate pair fits.
 */
export function splitText(text: string, charactersMax: number): string[] {
  assert(charactersMax >= 2, 'a part holds at least one character');
  if (text.length <= charactersMax) return [text];
  const parts = splitAt(text.trim(), charactersMax, 0);
  return parts.length === 0 ? [''] : parts;
}

/** Cuts at one kind of border and packs neighbours together as far as they fit. */
function splitAt(text: string, charactersMax: number, level: number): string[] {
  if (text.length <= charactersMax) return text === '' ? [] : [text];
  const border = borders[level];
  if (border === undefined) return splitAnywhere(text, charactersMax);

  const parts: string[] = [];
  let start = 0;
  let end = 0;
  const close = (): void => {
    const part = text.slice(start, end).trim();
    if (part !== '') parts.push(...splitAt(part, charactersMax, level + 1));
  };
  for (const piece of pieces(text, border)) {
    if (piece.end - start > charactersMax && end > start) {
      close();
      start = piece.start;
    }
    end = piece.end;
  }
  close();
  return parts;
}

function* pieces(text: string, border: RegExp): Generator<{ start: number; end: number }> {
  let start = 0;
  for (const match of text.matchAll(border)) {
    if (match.index > start) yield { start, end: match.index };
    start = match.index + match[0].length;
  }
  if (start < text.length) yield { start, end: text.length };
}

function splitAnywhere(text: string, charactersMax: number): string[] {
  const parts: string[] = [];
  let start = 0;
  while (start < text.length) {
    let end = Math.min(start + charactersMax, text.length);
    const isInsidePair = /[\uD800-\uDBFF]/.test(text.charAt(end - 1)) && end < text.length;
    if (isInsidePair) end -= 1;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}
