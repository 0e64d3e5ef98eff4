import { describe, expect, it } from 'vitest';
import { relevantFacts } from '../../src/actors/facts.ts';
import { topicOf } from '../../src/actors/message-parts.ts';
import { isInformative, sentencesOf } from '../../src/actors/sentences.ts';

const message = `Dear Ms Stone,

I hope you are well. My name is Basil and I write from Graz. The heating in room 12 is cold. The technician comes on 3 May. Please add 2 and 3.

Best regards
Basil

Question: When does the technician come?
`;

describe('relevantFacts', () => {
  it('finds the sentence that a question is about', () => {
    expect(relevantFacts(message, 'Question: When does the technician come?')).toBe(
      'The technician comes on 3 May.',
    );
  });

  it('finds it when the prompt quotes the message', () => {
    const prompt = `Facts: The heating in room 12 is cold. The technician comes on 3 May. Question: Is the heating cold?`;
    expect(relevantFacts(message, prompt)).toBe('The heating in room 12 is cold.');
  });

  it('looks only at the question where the prompt quotes other questions', () => {
    const text = 'How cold may a room be? The technician comes on 3 May.';
    expect(relevantFacts(text, `Facts: ${text} Question: When does the technician come?`)).toBe(
      'The technician comes on 3 May.',
    );
    const other = 'Is the lift old? The roof is wet. The lift is stuck.';
    expect(
      relevantFacts(
        `${other}\n`,
        `Facts: ${other.slice(0, 17)} all. Question: Who is on the roof?`,
      ),
    ).toBe('The roof is wet.');
  });

  it('finds the matter of the message when nothing is asked of it', () => {
    expect(relevantFacts(message, `Route this to a team: ${message}`)).toBe(
      'The heating in room 12 is cold.',
    );
  });

  it('gives a message without matter as it is, and nothing for nothing', () => {
    expect(relevantFacts('Thanks!\nBasil', 'Who?')).toBe('Thanks! Basil');
    expect(relevantFacts('', 'Who?')).toBe('');
  });

  it('gives at most two sentences, in their order', () => {
    const text = 'A lift is stuck. No lift moves today. The lift hall is dark. Rain falls.';
    expect(sentencesOf(relevantFacts(text, 'Question: Which lift is stuck in the hall?'))).toEqual([
      'A lift is stuck.',
      'The lift hall is dark.',
    ]);
  });
});

describe('sentences', () => {
  it('ends them at full stops and lines, but not after titles and inside figures', () => {
    expect(sentencesOf('Dr. Vera paid €1.50. Why?\nBest regards\n\nBasil')).toEqual([
      'Dr. Vera paid €1.50.',
      'Why?',
      'Best regards',
      'Basil',
    ]);
  });

  it.each([
    'Hello team,',
    'Hi, Vera Stone here.',
    'My name is Vera and I write from Graz.',
    'Many thanks, Vera',
    'Sorry for the late reply.',
    'Vera',
  ])('says nothing about the matter: %s', (sentence) => {
    expect(isInformative(sentence)).toBe(false);
  });

  it.each(['The lift is stuck.', 'Hi, the lift is stuck.', 'How many days do I have left?'])(
    'says something: %s',
    (sentence) => {
      expect(isInformative(sentence)).toBe(true);
    },
  );
});

describe('topicOf', () => {
  it.each([
    ['Hi,\ntwo things. The lift is stuck.', 'The lift is stuck.'],
    ['Screen black. Keyboard dead. Nothing works since lunch.', 'Nothing works since lunch.'],
    ['I have several questions. Where is the key?', 'Where is the key?'],
  ])('of %j is %j', (text, topic) => {
    expect(topicOf(text)).toBe(topic);
  });

  it('is null where no sentence tells anything', () => {
    expect(topicOf('Two things.\nVera')).toBeNull();
  });
});
