import { describe, expect, it } from 'vitest';
import { copiedAnswer } from '../../../src/actors/checks/copied-answer.ts';
import { inputOf } from './check-input.ts';

function answered(document: string, question: string, output: string) {
  return copiedAnswer(
    inputOf({ document: `${document}\n\nQuestion: ${question}\n`, each: question, output }),
  );
}

describe('copied-answer', () => {
  it('accepts a copy, without its full stop, and makes a claim of it', () => {
    expect(answered('The audit starts on 3 May.', 'When does the audit start?', '3 May.')).toEqual({
      output: {
        question: 'When does the audit start?',
        answer: '3 May',
        claim: 'The audit start on 3 May.',
      },
      reasons: [],
      retry: true,
    });
  });

  it.each([
    ['The desk costs €1701.13.', 'How much does the desk cost?', '€1701', '€1701.13'],
    ['The keys are with Vera Stone.', 'Who has the keys?', 'Vera', 'Vera Stone'],
    ['The fee was €35, now paid.', 'How high was the fee?', '€35, now', '€35'],
  ])('makes one whole value of a piece: %s', (document, question, given, whole) => {
    const { output, reasons } = answered(document, question, given);
    expect(reasons).toEqual([]);
    expect(output).toMatchObject({ answer: whole });
  });

  it.each([
    ['no answer', 'The audit is soon.', 'When does the audit start?', "I don't know."],
    [
      'what is not in the message',
      'The audit starts on 3 May.',
      'When does the audit start?',
      '4 May',
    ],
    [
      'the wrong kind',
      'Vera Stone starts the audit on 3 May.',
      'When does the audit start?',
      'Vera Stone',
    ],
    [
      'another value of its kind beside it',
      'The audit moved from 3 May to 8 May.',
      'When is the audit?',
      '3 May',
    ],
    [
      'what the question says',
      'Vera Stone follows Basil Crane.',
      'Who will replace Basil Crane?',
      'Basil Crane',
    ],
    [
      'another sentence',
      'The audit starts on 3 May. The fair opens on 9 June.',
      'When does the fair open?',
      '3 May',
    ],
    ['a person for a place', 'Give the papers to Vera.', 'Where are the papers?', 'Vera'],
    [
      'a place with more behind it',
      'Vera works in Graz this summer.',
      'Where does Vera work?',
      'Graz this summer',
    ],
  ])('doubts %s', (_, document, question, given) => {
    const { reasons, retry } = answered(document, question, given);
    expect(reasons).toHaveLength(1);
    expect(retry).toBe(true);
  });

  it('does not take the noted question for a part of the message', () => {
    expect(answered('Nothing new.', 'Does Vera Stone know?', 'Vera Stone').reasons).toHaveLength(1);
  });
});
