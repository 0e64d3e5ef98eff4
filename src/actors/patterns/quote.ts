/** Answers and critiques in the words of reasons and evidence. */
import type { Json } from '../../kernel/json.ts';
import { limits } from '../../kernel/limits.ts';
import type { Statement } from './pattern.ts';

/** On one line, cut where it is long: a text in quotation marks, anything else as JSON. */
export function quoted(value: Json): string {
  const isText = typeof value === 'string';
  const characters = [...(isText ? value.replaceAll(/\s+/g, ' ') : JSON.stringify(value))];
  const cut =
    characters.length <= limits.quotedCharactersMax
      ? characters.join('')
      : `${characters.slice(0, limits.quotedCharactersMax).join('')}…`;
  return isText ? `"${cut}"` : cut;
}

/** What somebody said, or why they said nothing. */
export function wordsOf({ answered, output, reasons }: Statement): string {
  const doubts = reasons.length === 0 ? '' : `${answered ? ' ' : ''}(${reasons.join(' ')})`;
  return answered ? `${quoted(output)}${doubts}` : `nothing that counts ${doubts}`;
}

/** Whether whoever decides is for the answer: the property is true, and no check of theirs doubts it. */
export function isFor({ answered, output, reasons }: Statement, property: string): boolean {
  if (!answered || reasons.length > 0 || typeof output !== 'object' || output === null) {
    return false;
  }
  return !Array.isArray(output) && output[property] === true;
}
