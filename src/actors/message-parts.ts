/**
 * What stands where in an office message: the body, the questions that the
 * front desk noted under it, and the sentences that ask for a tool. Pure.
 */
import { isInformative, isTelling, sentencesOf, withoutSalutation } from './sentences.ts';
import { asksForTool } from './tool-words.ts';

export interface MessageParts {
  /** The message without the noted questions, on one line. */
  readonly body: string;
  /** Text of each line that begins with `Question:`. */
  readonly questions: readonly string[];
  /** Sentences that ask for a calculation or a file. */
  readonly requests: readonly string[];
}

const questionLine = /^\s*question:\s*(.+)$/i;

export function messageParts(text: string): MessageParts {
  const body: string[] = [];
  const questions: string[] = [];
  for (const line of text.split('\n')) {
    const question = questionLine.exec(line)?.[1]?.trim();
    if (question !== undefined) questions.push(question);
    else if (line.trim() !== '') body.push(line.trim());
  }
  const joined = body.join('\n');
  return {
    body: body.join(' '),
    questions,
    requests: sentencesOf(joined).map(withoutSalutation).filter(asksForTool),
  };
}

/** Words of a line that belongs to the end of a message, at most. */
const endWordsMax = 4;
const wholeName = /^\p{Lu}[\p{L}.'’-]*(?:\s+\p{Lu}[\p{L}.'’-]*)+$/u;

function isShortEnd(line: string): boolean {
  return line.split(/\s+/).length <= endWordsMax && !/[.?:;]$|\d/.test(line);
}

/**
 * Without the line that says goodbye: of the short lines that end a message the
 * first, where a signature follows. What it says is nobody's name, in whatever
 * words, unless it looks like a first and a last name.
 */
function withoutClosing(lines: readonly string[]): readonly string[] {
  const lastLong = lines.findLastIndex((line) => !isShortEnd(line));
  const closing = lastLong + 1;
  const isClosed = lastLong >= 0 && closing < lines.length - 1;
  if (!isClosed || wholeName.test(lines[closing] ?? '')) return lines;
  return lines.toSpliced(closing, 1);
}

/**
 * The body with its line breaks, so that a signature stays apart from the
 * sentence before it; the line that says goodbye above a signature is left out.
 */
export function bodyLines(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !questionLine.test(line) && line !== '');
  return withoutClosing(lines).join('\n');
}

/** The first sentence that can stand in a summary, or null. */
export function topicOf(text: string): string | null {
  return matterOf(text).find(isTelling) ?? null;
}

/** Sentences of the body that say something, without requests for tools. */
export function matterOf(text: string): string[] {
  return sentencesOf(bodyLines(text))
    .filter((sentence) => isInformative(sentence) && !asksForTool(sentence))
    .map(withoutSalutation);
}
