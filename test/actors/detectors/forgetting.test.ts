import { expect, test } from 'vitest';
import { forgotten } from '../../../src/actors/detectors/forgetting.ts';

const pins = [
  { text: 'Name the ticket.', words: ['T-17'] },
  { text: 'Answer in German.', words: [] },
];
const asked = 'You help.\n\nName the ticket.\n\nAnswer in German.\n\nWhat now?';

test('an objective that was told and whose words are there is not forgotten', () => {
  expect(forgotten(pins, asked, '{"reply":"Ihr t-17 ist offen."}')).toEqual([]);
});

test('words that are missing are named', () => {
  expect(forgotten(pins, asked, 'Er ist offen.')).toEqual([
    {
      source: 'forgetting',
      evidence: 'The answer lacks "T-17", of the objective: Name the ticket.',
    },
  ]);
});

test('an objective that the model was not told is forgotten whatever it answers', () => {
  expect(forgotten(pins, 'What now?', 'T-17')).toHaveLength(2);
  // Where it cannot have been lost, only the words are looked for.
  expect(forgotten(pins, null, 'T-17')).toEqual([]);
});

test('evidence quotes the beginning of a long objective', () => {
  const text = 'x'.repeat(500);
  const [found] = forgotten([{ text, words: [] }], '', '');
  expect(found?.evidence.length).toBeLessThan(130);
});
