/**
 * Adds the parts of the message to the answer, so that later steps can speak of
 * them: `body`, its `topic` (the first sentence that can stand in a summary),
 * `questions`, `requests`, and the `sentences` that have names, places, dates or
 * figures. Never doubts.
 */
import { isJsonObject } from '../../kernel/json.ts';
import { bodyLines, messageParts, topicOf } from '../message-parts.ts';
import { sentencesOf } from '../sentences.ts';
import type { Check } from './check.ts';
import { mayHaveFields } from './fields.ts';

export const parts: Check = ({ output, document }) => {
  const { body, questions, requests } = messageParts(document);
  const sentences = sentencesOf(bodyLines(document)).filter(mayHaveFields);
  return {
    output: {
      ...(isJsonObject(output) ? output : { answer: output }),
      body,
      topic: topicOf(document),
      questions: [...questions],
      // The model reads a request better without the full stop that ends it.
      requests: requests.map((request) => request.replace(/\.$/, '')),
      sentences,
    },
    reasons: [],
  };
};
