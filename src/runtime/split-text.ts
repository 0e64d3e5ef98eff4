/**
 * Splits a text into parts of bounded length at the best border there is, by
 * structure: chapters and pages, sections, paragraphs, items of lists, lines and
 * sentences, words, anywhere but inside a character. Each part knows where it
 * stands in the text.
 *
 * Invariants
 *   S1. No part is longer than the bound or blank.
 *   S2. The parts in order are the text; only white space at their borders is dropped.
 *   S3. A part is the text from its start to its end, character for character.
 */
import { assert } from '../kernel/assert.ts';

/** A part of a text, and where it stands there. */
export interface TextPart {
  readonly text: string;
  /** UTF-16 units from 0; the end is behind the last one. */
  readonly start: number;
  readonly end: number;
  /** Of its first and last character, from 1. */
  readonly firstLine: number;
  readonly lastLine: number;
}

/** From `start` to before `end`, in UTF-16 units. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Borders from the best to the worst; each match is white space that may be dropped. */
const borders: readonly RegExp[] = [
  /\s*\f\s*|(?:[^\S\n]*\n)+(?=#{1,2}[^\S\n])|(?:[^\S\n]*\n)+(?=[^\n]+\n={3,}[^\S\n]*(?:\n|$))/g,
  /(?:[^\S\n]*\n)+(?=#{3,6}[^\S\n])|(?:[^\S\n]*\n)+(?=[^\n]+\n-{3,}[^\S\n]*(?:\n|$))/g,
  /\r?\n[^\S\n]*\r?\n\s*/g,
  /\r?\n\s*(?=(?:[-*•+]|\d{1,4}[.)])[^\S\n])/g,
  /(?<=[.!?…]["'”’)\]]?)\s+(?=\S)|\r?\n\s*/g,
  /\s+/g,
];

/**
 * Parts of at most `charactersMax` UTF-16 units, at least one.
 * @param charactersMax At least 2, so that a surrogate pair fits.
 */
export function splitText(text: string, charactersMax: number): TextPart[] {
  assert(charactersMax >= 2, 'a part holds at least one character');
  const whole = { start: 0, end: text.length };
  const spans =
    text.length <= charactersMax
      ? [whole]
      : splitAt(text, trimmed(text, whole), { charactersMax, level: 0 });
  return withLines(text, spans.length === 0 ? [{ start: 0, end: 0 }] : spans);
}

function trimmed(text: string, { start, end }: Span): Span {
  const inside = text.slice(start, end);
  const from = start + inside.length - inside.trimStart().length;
  return { start: from, end: Math.max(from, start + inside.trimEnd().length) };
}

/** Cuts at one kind of border and packs neighbours together as far as they fit. */
function splitAt(
  text: string,
  span: Span,
  { charactersMax, level }: { readonly charactersMax: number; readonly level: number },
): Span[] {
  if (span.end - span.start <= charactersMax) return span.end === span.start ? [] : [span];
  const border = borders[level];
  if (border === undefined) return splitAnywhere(text, span, charactersMax);

  const spans: Span[] = [];
  let { start, end } = { start: span.start, end: span.start };
  const close = (): void => {
    const part = trimmed(text, { start, end });
    spans.push(...splitAt(text, part, { charactersMax, level: level + 1 }));
  };
  for (const piece of pieces(text, span, border)) {
    if (piece.end - start > charactersMax && end > start) {
      close();
      start = piece.start;
    }
    end = piece.end;
  }
  close();
  return spans;
}

function* pieces(text: string, span: Span, border: RegExp): Generator<Span> {
  let { start } = span;
  for (const match of text.slice(span.start, span.end).matchAll(border)) {
    const at = span.start + match.index;
    if (at > start) yield { start, end: at };
    start = at + match[0].length;
  }
  if (start < span.end) yield { start, end: span.end };
}

function splitAnywhere(text: string, span: Span, charactersMax: number): Span[] {
  const spans: Span[] = [];
  let { start } = span;
  while (start < span.end) {
    let end = Math.min(start + charactersMax, span.end);
    const isInsidePair = /[\uD800-\uDBFF]/.test(text.charAt(end - 1)) && end < span.end;
    if (isInsidePair) end -= 1;
    spans.push({ start, end });
    start = end;
  }
  return spans;
}

/** The parts with their lines, counted once over the text. */
function withLines(text: string, spans: readonly Span[]): TextPart[] {
  let line = 1;
  let counted = 0;
  const lineAt = (offset: number): number => {
    for (; counted < offset; counted += 1) if (text.charCodeAt(counted) === 10) line += 1;
    return line;
  };
  return spans.map(({ start, end }) => {
    const firstLine = lineAt(start);
    const lastLine = lineAt(Math.max(start, end - 1));
    return { text: text.slice(start, end), start, end, firstLine, lastLine };
  });
}
