/**
 * What stands where in an office message: the body, the questions that the
 * front desk noted under it, and the sentences that ask for a tool. Pure.
 */
import { isInformative, sentencesOf, withoutSalutation } from './sentences.ts';
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

/** The body with its line breaks: a signature stays apart from the sentence before it. */
export function bodyLines(text: string): string {
  return text
    .split('\n')
    .filter((line) => !questionLine.test(line) && line.trim() !== '')
    .join('\n');
}

/** Sentences of the body that say something, without requests for tools. */
export function matterOf(text: string): string[] {
  return sentencesOf(bodyLines(text))
    .filter((sentence) => isInformative(sentence) && !asksForTool(sentence))
    .map(withoutSalutation);
}
