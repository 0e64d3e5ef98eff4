/** What a supervisor hands on and keeps, under labels. */
import { expect, test } from 'vitest';
import type { Critique, StepVariables } from '../../src/actors/event.ts';
import {
  failureLabel,
  higherLabel,
  startedWith,
  writtenLabel,
} from '../../src/actors/supervised-reading.ts';
import { definitionText } from './machines.ts';

const variables: StepVariables = {
  document: { name: 'm.txt', text: 'inner words', part: 0, label: 'internal' },
  steps: '{}',
  items: null,
  run: { name: 'p', seed: 1 },
};

function definition(prompt: string, clearance: string): string {
  return definitionText({
    name: 'p',
    input: { defaultLabel: 'public' },
    agents: { worker: { prompt, clearance }, blind: { prompt: 'Is it noon?' } },
    steps: [{ id: 'work', agent: 'worker', map: 'documents' }],
  });
}

const unlabelled = definitionText({
  name: 'p',
  agents: { worker: { prompt: 'x' } },
  steps: [{ id: 'work', agent: 'worker' }],
});

test('a critic that reads nothing of the answer is not told it either, where it is above it', () => {
  const critic: Critique = {
    ...{ agent: 'blind', of: 'work', each: 'words', question: 'words', answer: 'words' },
    reasons: ['words'],
    label: 'internal',
  };
  const text = definition('{{document.text}}', 'internal');
  const started = startedWith(text, 'critic:work', { variables, critic });
  expect(started.reading).not.toHaveProperty('refusal');
  expect(JSON.stringify(started)).not.toContain('words');
  const below = startedWith(text, 'critic:work', {
    variables,
    critic: { ...critic, label: 'public' },
  });
  expect(below.critic?.answer).toBe('words');
});

test('the error of an agent has the label of what it read and was told, a refusal the lowest', () => {
  const label = (prompt: string, clearance: string, told?: string): string | undefined =>
    failureLabel(
      definition(prompt, clearance),
      'work',
      { variables },
      told === undefined ? {} : { label: told },
    ).label;
  expect(label('{{document.text}}', 'secret')).toBe('internal');
  expect(label('{{document.text}}', 'secret', 'confidential')).toBe('confidential');
  expect(label('nothing', 'secret')).toBe('public');
  expect(label('{{document.text}}', 'public', 'public')).toBe('public');
  expect(failureLabel(unlabelled, 'work', { variables }, {})).toEqual({});
});

test('what the supervisor writes has the label of what its templates read', () => {
  const text = definition('x', 'public');
  const written = (template: string): object =>
    writtenLabel(text, ['a/{{document.name}}', template], variables, 'confidential');
  expect(written('for a person')).toEqual({ label: 'public' });
  expect(written('{{document.text}}')).toEqual({ label: 'internal' });
  expect(written('{{#reasons}}{{.}}{{/reasons}}')).toEqual({ label: 'confidential' });
  expect(writtenLabel(unlabelled, ['{{document.text}}'], variables, undefined)).toEqual({});
});

test('of two labels the higher one is kept, and none where nothing has any', () => {
  const text = definition('x', 'public');
  expect(higherLabel(text, undefined, 'internal')).toBe('internal');
  expect(higherLabel(text, 'secret', 'internal')).toBe('secret');
  expect(higherLabel(text, undefined, undefined)).toBeUndefined();
  expect(higherLabel(unlabelled, undefined, 'internal')).toBeUndefined();
});
